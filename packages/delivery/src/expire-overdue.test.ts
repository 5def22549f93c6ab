import { afterEach, expect, it } from 'vitest';
import type { AcceptedMessage, SendOutcome } from '@tickmark/domain';
import { acceptedMessage } from '@tickmark/testing';
import { deliveryRoom, rejected, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { expireOverdue } from './expire-overdue.ts';
import { insertAccepted } from './insert-accepted.ts';
import { recordOutcome } from './record-outcome.ts';

const room = deliveryRoom({ max: 8 });
const ALL = { rowsMax: Infinity };

afterEach(async () => {
  await room.db.sql`TRUNCATE whatsapp_messages`;
});

const past = (id: string) => room.db.sql`UPDATE whatsapp_messages SET expires_at = now() - interval '1 second' WHERE id = ${id}`;
const statusOf = async (id: string) => (await room.row(id))?.['status'];

async function insertWith(status: string, overrides: Partial<AcceptedMessage> = {}): Promise<string> {
  const { id } = await room.insert({ validityPeriodSeconds: 3_600, ...overrides });
  await room.db.sql`UPDATE whatsapp_messages SET status = ${status} WHERE id = ${id}`;
  return id;
}

it.each(['accepted', 'scheduled', 'retrying', 'held'])(
  'a message that is %s ends as expired when its validity is over, not before',
  async (status) => {
    const id = await insertWith(status);
    expect(await expireOverdue(room.db, ALL)).toBe(0);
    expect(await statusOf(id)).toBe(status);
    await past(id);
    expect(await expireOverdue(room.db, ALL)).toBe(1);
    expect(await room.row(id)).toMatchObject({ status: 'expired', rank: 50, open_status: null, message_sid: null });
    expect(await expireOverdue(room.db, ALL)).toBe(0);
  },
);

it('one that is parked under a stop ends too, and keeps the code of its last refusal', async () => {
  const id = await insertWith('retrying');
  await room.db.sql`UPDATE whatsapp_messages SET due_at = 'infinity', error_code = 63018 WHERE id = ${id}`;
  await past(id);
  expect(await expireOverdue(room.db, ALL)).toBe(1);
  expect(await room.row(id)).toMatchObject({ status: 'expired', error_code: 63018 });
});

it('what may have been sent, was sent, or has no validity never does', async () => {
  const ids = [
    (await room.insert()).id,
    (await room.sendAccepted({ validityPeriodSeconds: 60 })).message.id,
    ...(await Promise.all([undefined, unknownOutcome(), rejected()].map((outcome) => claimedWith(outcome)))),
  ];
  for (const id of ids.slice(1)) await past(id);
  expect(await expireOverdue(room.db, ALL)).toBe(0);
  expect(await Promise.all(ids.map(statusOf))).toEqual(['accepted', 'queued', 'sending', 'unknown', 'failed']);
});

it('every overdue row is found, page by page, up to what one pass may look at', async () => {
  const messages = Array.from({ length: 2_300 }, () => acceptedMessage({ validityPeriodSeconds: 60 }));
  for (let from = 0; from < messages.length; from += 500) valuesOf(await insertAccepted(room.db, messages.slice(from, from + 500)));
  // Many of one moment, so that the id alone orders them.
  await room.db.sql`UPDATE whatsapp_messages SET expires_at = date_trunc('minute', now()) - interval '1 minute'`;
  expect(await expireOverdue(room.db, { rowsMax: 1_000 })).toBe(1_000);
  expect(await expireOverdue(room.db, ALL)).toBe(1_300);
});

it('a row that somebody writes is left out, and nobody waits for it', async () => {
  const [written, other] = [await insertWith('accepted'), await insertWith('held')];
  await past(written);
  await past(other);
  await room.db.sql.begin(async (tx) => {
    await tx`SELECT FROM whatsapp_messages WHERE id = ${written} FOR UPDATE`;
    expect(await expireOverdue(room.db, ALL)).toBe(1);
  });
  expect(await Promise.all([written, other].map(statusOf))).toEqual(['accepted', 'expired']);
});

it('of a claim and an expiry of the same moment one wins: no row that was claimed expires', async () => {
  const count = 200;
  const ids = await Promise.all(Array.from({ length: count }, () => insertWith('accepted')));
  // Due in a moment, so that claims come before, amid and after it.
  await room.db.sql`UPDATE whatsapp_messages SET expires_at = clock_timestamp() + random() * interval '400 milliseconds'`;
  const stop = new AbortController();
  const expiring = (async () => {
    let expired = 0;
    while (!stop.signal.aborted) expired += await expireOverdue(room.db, ALL);
    return expired + (await expireOverdue(room.db, ALL));
  })();
  const answers = await Promise.all(ids.map(async (id) => (await room.claim(id)).answer));
  stop.abort();
  const expired = await expiring;
  const claimed = ids.filter((_id, index) => answers[index]?.kind === 'claimed');
  const endedByClaim = answers.filter((answer) => answer.kind === 'ended' && answer.byClaim).length;
  expect(await Promise.all(claimed.map(statusOf))).toEqual(claimed.map(() => 'sending'));
  expect(claimed.length + endedByClaim + expired).toBe(count);
});

/** A message that was claimed while it was valid; without an outcome its call is under way. */
async function claimedWith(outcome?: SendOutcome): Promise<string> {
  const { id } = await room.insert({ validityPeriodSeconds: 3_600 });
  const { token } = await room.claim(id);
  if (outcome !== undefined) valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome }]));
  return id;
}
