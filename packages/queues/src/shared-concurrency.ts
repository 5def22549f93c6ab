import { randomUUID } from 'node:crypto';
import type { ProducerConnection } from './producer-connection.ts';

/** A process that has not been heard of for so long counts as gone, and the others take its share. */
const HEARTBEAT_MS_MAX = 5_000;

/** What all processes leave in Redis goes away by itself after this. */
const LEFTOVERS_MS = 600_000;

/** At most one cut in so long: the refusals of one moment are one message from Twilio. */
const CUT_INTERVAL_MS = 1_000;

/** Part of the ceiling that comes back with each second without a cut: from half to the whole in half a minute. */
const RECOVERY_PER_SECOND = 1 / 60;

/** Create calls in flight over all processes: what Twilio lets pass at present, and who shares it. */
export interface SharedCap {
  /** Equal to the ceiling while nothing was refused. */
  cap: number;
  /** Sum of what the live processes are set to. */
  ceiling: number;
  /** Processes that were heard of in the last seconds, this one included. */
  processes: number;
}

export interface SharedConcurrency {
  /** Says that this process lives, lets the cap recover, and reads it. To be called once a second. */
  beat(): Promise<SharedCap>;
  /** Cuts the cap in half, unless somebody did so within the last second; never below one call per process. */
  cut(): Promise<SharedCap>;
  /** Takes this process out of the sharing at once. */
  leave(): Promise<void>;
}

/**
 * Adapts how many calls run at the same time to what Twilio allows, which it does not tell: additive increase, multiplicative decrease,
 * over all processes. All state is in Redis and all times are Redis's own; nothing is borrowed, so nothing can leak when a process dies.
 *
 * @param concurrencyMax the most that this process would do
 */
export function createSharedConcurrency(connection: ProducerConnection, base: string, concurrencyMax: number): SharedConcurrency {
  const member = `${randomUUID()}/${concurrencyMax}`;
  const keys = [`{${base}:concurrency}:cap`, `{${base}:concurrency}:processes`] as const;
  const run = (verb: 'beat' | 'cut') =>
    connection.run(async (): Promise<SharedCap> => {
      const args = [verb, member, HEARTBEAT_MS_MAX, CUT_INTERVAL_MS, RECOVERY_PER_SECOND, LEFTOVERS_MS];
      const answer = (await connection.redis.eval(SCRIPT, keys.length, ...keys, ...args)) as [number, number, number];
      return { cap: answer[0], ceiling: answer[1], processes: answer[2] };
    });
  return {
    beat: () => run('beat'),
    cut: () => run('cut'),
    leave: async () => {
      await connection.run(() => connection.redis.zrem(keys[1], member));
    },
  };
}

/**
 * `cap` holds the cap while it is below the ceiling, when it was cut, and until when its recovery was counted. A process's own setting is
 * part of its name, so that who goes takes it along.
 */
const SCRIPT = `
local verb, member = ARGV[1], ARGV[2]
local heartbeatMs, cutMs, recovery, leftoversMs = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZADD', KEYS[2], now, member)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - heartbeatMs)
local processes = redis.call('ZRANGE', KEYS[2], 0, -1)
local ceiling = 0
for _, process in ipairs(processes) do ceiling = ceiling + tonumber(string.match(process, '/(%d+)$')) end

local stored = redis.call('HMGET', KEYS[1], 'cap', 'cutAt', 'countedAt')
local cap, cutAt, countedAt = tonumber(stored[1]) or ceiling, tonumber(stored[2]) or 0, tonumber(stored[3]) or now
if verb == 'cut' then
  if now - cutAt >= cutMs then
    cap = math.max(#processes, math.floor(math.min(cap, ceiling) / 2))
    cutAt, countedAt = now, now
  end
else
  local seconds = math.floor((now - countedAt) / 1000)
  if seconds > 0 then
    cap = cap + seconds * math.max(1, math.floor(ceiling * recovery))
    countedAt = countedAt + seconds * 1000
  end
end
if cap >= ceiling then
  cap = ceiling
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'cap', cap, 'cutAt', cutAt, 'countedAt', countedAt)
  redis.call('PEXPIRE', KEYS[1], leftoversMs)
end
redis.call('PEXPIRE', KEYS[2], leftoversMs)
return {cap, ceiling, #processes}`;
