import { randomPhone, statusEvent, waitFor } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, rejected, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';
import { recordSuppressions } from './record-suppressions.ts';

const room = deliveryRoom();

const LAST_WEEK = '2026-01-01T00:00:00.000Z';

interface Pair {
  senderAddress: string;
  recipient: string;
}

const holds = ({ senderAddress, recipient }: Pair) => room.db.sql<{ category: string; suppressed: boolean; at: Date; source: string }[]>`
  SELECT category, suppressed, event_at AS at, source FROM suppressions
  WHERE sender_address = ${senderAddress} AND recipient = ${recipient} ORDER BY category`;

const claimTime = async (id: string) => new Date(String((await room.row(id))?.['claimed_at']));

const start = ({ senderAddress, recipient }: Pair, at: string) =>
  recordSuppressions(room.db, [{ senderAddress, recipient, category: 'all', suppressed: false, at, source: 'inbound', reason: 'START' }]);

/** A call that Twilio refused with a code. */
async function refuse(code: number) {
  const message = await room.insert();
  const { token } = await room.claim(message.id);
  const record = async () => valuesOf(await recordOutcome(room.db, [{ id: message.id, attempt: 1, token, outcome: rejected(code) }]));
  return { message, record };
}

/** A message that Twilio took and that failed later with a code. */
async function failLater(code: number, rawStatus = 'undelivered') {
  const { message, sid } = await room.sendAccepted();
  const event = statusEvent({ messageSid: sid, rawStatus, errorCode: code });
  return { message, sid, tell: async () => valuesOf(await applyStatuses(room.db, [event, event])) };
}

describe.each<[code: number, category: string]>([
  [21610, 'all'],
  [63033, 'marketing'],
])('Twilio error %i suppresses %s', (code, category) => {
  it('as the answer of a call', async () => {
    const { message, record } = await refuse(code);
    for (let times = 0; times < 2; times += 1) await record();
    expect(await room.row(message.id)).toMatchObject({ status: 'failed', error_code: code });
    expect(await holds(message)).toEqual([{ category, suppressed: true, at: await claimTime(message.id), source: 'error' }]);
  });

  it.each(['undelivered', 'failed'])('as a later status "%s"', async (rawStatus) => {
    const { message, tell } = await failLater(code, rawStatus);
    for (let times = 0; times < 2; times += 1) await tell();
    expect(await holds(message)).toEqual([{ category, suppressed: true, at: await claimTime(message.id), source: 'error' }]);
  });

  it('so that the next message of that kind is not sent, and another one is', async () => {
    const { message, tell } = await failLater(code);
    await tell();
    const next = async (of: 'marketing' | 'utility') =>
      (await room.claim((await room.insert({ ...pairOf(message), contentSid: 'HX1', body: null, category: of })).id)).answer;
    expect(await next('marketing')).toMatchObject({ kind: 'ended', status: 'suppressed' });
    expect(await next('utility')).toMatchObject({ kind: category === 'all' ? 'ended' : 'claimed' });
  });
});

describe('the time of it is that of the attempt', () => {
  it('so that a START between call and refusal stays', async () => {
    const { message, record } = await refuse(21610);
    await start(message, new Date((await claimTime(message.id)).getTime() + 1).toISOString());
    await record();
    expect(await holds(message)).toMatchObject([{ suppressed: false }]);
  });

  it('so that a START before the call is over', async () => {
    const { message, tell } = await failLater(21610);
    await start(message, LAST_WEEK);
    await tell();
    expect(await holds(message)).toMatchObject([{ suppressed: true }]);
  });

  it('also of one that is not the newest any more', async () => {
    const message = await room.insert();
    const first = await room.claim(message.id);
    const claimedAt = await claimTime(message.id);
    valuesOf(await recordOutcome(room.db, [{ id: message.id, attempt: 1, token: first.token, outcome: throttled() }]));
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${message.id}`;
    await room.claim(message.id);
    valuesOf(await recordOutcome(room.db, [{ id: message.id, attempt: 1, token: first.token, outcome: rejected(21610) }]));
    expect(await holds(message)).toMatchObject([{ suppressed: true, at: claimedAt }]);
  });
});

it('a message that somebody else sent says it too', async () => {
  const pair = { senderAddress: `whatsapp:${randomPhone()}`, recipient: `whatsapp:${randomPhone()}` };
  const event = statusEvent({ from: pair.senderAddress, to: pair.recipient, rawStatus: 'failed', errorCode: 21610 });
  valuesOf(await applyStatuses(room.db, [event]));
  expect(await holds(pair)).toMatchObject([{ category: 'all', suppressed: true }]);
});

it('a refusal is suppressed before it is recorded: a crash in between loses none', async () => {
  const { message, record } = await refuse(21610);
  let recording: Promise<unknown> = Promise.resolve();
  // The statement that records it has to wait for this row, which another transaction holds.
  await room.db.sql.begin(async (holder) => {
    await holder`SELECT FROM whatsapp_messages WHERE id = ${message.id} FOR UPDATE`;
    recording = record();
    await waitFor(async () => (await holds(message)).length === 1);
    expect(await room.row(message.id)).toMatchObject({ status: 'sending' });
  });
  await recording;
  expect(await room.row(message.id)).toMatchObject({ status: 'failed' });
});

it.each([21211, 63016, 63049])('code %i suppresses nobody', async (code) => {
  const { message, record } = await refuse(code);
  await record();
  expect(await holds(message)).toEqual([]);
});

function pairOf({ senderAddress, recipient }: Pair): Pair {
  return { senderAddress, recipient };
}
