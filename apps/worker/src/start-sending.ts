import { openSendControl, sendPayloadSchema, sendQueueName } from '@tickmark/queues';
import { createBreakers } from './breakers.ts';
import { followCallConcurrency } from './call-concurrency.ts';
import type { DatabaseBreaker } from './database-breaker.ts';
import { followStops, type FollowStopsDeps } from './follow-stops.ts';
import { createGuardedWorker } from './guarded-worker.ts';
import { passGates } from './pass-gates.ts';
import { createSendMessageProcessor, type SendMessageDeps } from './processors/send-message.ts';
import { joinSignals, NO_SIGNALS, type SendSignals } from './send-signals.ts';
import { createSendSlots } from './send-slots.ts';
import { createSenderWorkers } from './sender-workers.ts';
import type { WorkerSettings } from './start-worker.ts';

export interface Sending {
  /** To be told what calls and callbacks show beyond their own message. */
  signals: SendSignals;
  /** Takes up the senders of the table; to be called once the database is there, and again when it failed. */
  start(): Promise<void>;
  /** Tells a wiped Redis the paces of all senders. Rejects when it did not take them. */
  reassert(): Promise<void>;
  /** Takes up senders that have messages, whether or not the table knows them. */
  consume(aliases: Iterable<string>): void;
  /** Senders whose queue this process consumes. */
  aliases(): string[];
  /** Stops taking messages and waits for the calls under way, `deadlineMs` at most. */
  close(deadlineMs: number): Promise<void>;
}

/** Everything between the senders' queues and the processor: their workers, their paces, and the slots that limit the calls in flight. */
export function startSending(
  deps: SendMessageDeps & Pick<FollowStopsDeps, 'producers'> & { breaker: DatabaseBreaker },
  settings: WorkerSettings,
): Sending {
  const { concurrencyMax, redisUrl, base, lockMs, stalledMs } = settings;
  const { metrics, log } = deps;
  const control = openSendControl({ redisUrl, base, concurrencyMax, log });
  const slots = createSendSlots({
    ...deps,
    capacity: concurrencyMax,
    onJobsMax: (alias, jobsMax) => senders.setConcurrency(alias, jobsMax),
  });
  const concurrency = followCallConcurrency({ ...deps, ...control, slots, concurrencyMax });
  const breakers = createBreakers({
    ...deps,
    failures: control.failures,
    isStopped: (target) => stops.isStopped(target),
    onOpened: () => void stops.read(),
  });
  const signals = joinSignals(deps.signals, breakers.signals, {
    ...NO_SIGNALS,
    throttled: (...told) => concurrency.throttled(...told),
  });
  const sendMessage = createSendMessageProcessor({ ...deps, signals });
  const senders = createSenderWorkers({
    ...deps,
    pace: control.pace,
    onPace: (alias, mps) => slots.setPace(alias, mps),
    refreshMs: settings.sendersRefreshMs,
    startWorker: (alias) => {
      return createGuardedWorker(deps.breaker, {
        redisUrl,
        base,
        metrics,
        log,
        lockMs,
        stalledMs,
        queue: sendQueueName(alias),
        schema: sendPayloadSchema,
        processor: passGates({ ...deps, slots, stops }, alias, sendMessage),
        concurrency: slots.jobsMax(alias),
      });
    },
  });
  const stops = followStops({ ...deps, senders }, settings);

  return {
    signals,
    start: async () => {
      // Before the first job is taken.
      await stops.read();
      await senders.start();
    },
    reassert: () => senders.reassert(),
    consume: (aliases) => senders.consume(aliases),
    aliases: () => senders.aliases(),
    close: async (deadlineMs) => {
      // No message is taken while something that was asked of the database is waited for.
      await Promise.all([senders.close(deadlineMs), stops.close()]);
      await breakers.close();
      await concurrency.close();
      await control.close();
    },
  };
}
