import { randomUUID } from 'node:crypto';
import type { Settled } from '@tickmark/runtime';
import { acceptedMessage, inboundMessage, randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { claimForSending } from './claim-for-sending.ts';
import { accepted, CLAIM_RULES, deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { recordInbound } from './record-inbound.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseClaim } from './release-claim.ts';

const ROUNDS = 15;
const ROWS = 80;

const room = deliveryRoom({ max: 8 });

describe('batches with the same rows in opposite order', () => {
  it('never deadlock, whichever statements meet', async () => {
    const before = await countDeadlocks();
    for (let round = 0; round < ROUNDS; round += 1) {
      const messages = Array.from({ length: ROWS }, () => acceptedMessage());
      const insert = (batch: typeof messages) => insertAccepted(room.db, batch);
      await Promise.all([bothWays(messages, insert), bothWays(messages, insert)]);
      const claims = messages.map(({ id }) => ({ id, token: randomUUID() }));
      await bothWays(claims, (batch) => claimForSending(room.db, batch, CLAIM_RULES));
      const calls = claims.map((claim) => ({ ...claim, sid: randomSid() }));
      const records = calls.map(({ id, token, sid }) => ({ id, token, attempt: 1, outcome: accepted(sid) }));
      const named = calls.map(({ id, sid }) => statusEvent({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }));
      const nameless = calls.map(({ sid }) => statusEvent({ messageSid: sid, rawStatus: 'delivered' }));
      await Promise.all([
        bothWays(records, (batch) => recordOutcome(room.db, batch)),
        bothWays(named, (batch) => applyStatuses(room.db, batch)),
        bothWays(nameless, (batch) => applyStatuses(room.db, batch)),
        bothWays(claims, (batch) => releaseClaim(room.db, batch)),
      ]);
    }
    expect(await countDeadlocks()).toBe(before);
  });

  it('never deadlock on messages from people and their windows', async () => {
    const before = await countDeadlocks();
    for (let round = 0; round < ROUNDS; round += 1) {
      const messages = Array.from({ length: ROWS }, (_, index) => inbound(`whatsapp:US.${index % 7}`));
      await bothWays(messages, (batch) => recordInbound(room.db, batch));
    }
    expect(await countDeadlocks()).toBe(before);
  });
});

async function bothWays<T, R>(items: readonly T[], write: (batch: T[]) => Promise<Settled<R>[]>): Promise<void> {
  const settled = await Promise.all([write([...items]), write(items.toReversed())]);
  valuesOf(settled.flat());
}

/** Deadlocks are retried, so no answer shows them: the server counts them. */
async function countDeadlocks(): Promise<number> {
  // The counts of a backend are published when it has nothing to do.
  await Promise.all(Array.from({ length: 8 }, () => room.db.sql`SELECT pg_stat_force_next_flush(), pg_sleep(0.05)`));
  const [row] = await room.db.sql<[{ deadlocks: number }]>`
    SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()`;
  return row.deadlocks;
}

function inbound(from: string) {
  return inboundMessage({ from, to: 'whatsapp:+14155238886' });
}
