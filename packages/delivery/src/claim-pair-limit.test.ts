import { randomInt, randomUUID } from 'node:crypto';
import type { AcceptedMessage } from '@tickmark/domain';
import { acceptedMessage } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { claimForSending, type ClaimAnswer } from './claim-for-sending.ts';
import { CLAIM_RULES, deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';

const room = deliveryRoom();

const pairOf = ({ senderAddress, recipient } = acceptedMessage()) => ({ senderAddress, recipient });

async function insert(count: number, fields: Partial<AcceptedMessage>): Promise<string[]> {
  const messages = Array.from({ length: count }, () => acceptedMessage(fields));
  valuesOf(await insertAccepted(room.db, messages));
  return messages.map(({ id }) => id);
}

async function claim(ids: readonly string[]): Promise<ClaimAnswer[]> {
  return valuesOf(
    await claimForSending(
      room.db,
      ids.map((id) => ({ id, token: randomUUID() })),
      CLAIM_RULES,
    ),
  );
}

const kinds = (answers: readonly ClaimAnswer[]) => answers.map((answer) => answer.kind);
const claimedFirst = (claimed: number, of: number) => Array.from({ length: of }, (_, index) => (index < claimed ? 'claimed' : 'not_due'));

/** Seconds from now until a row may be claimed, told by each `not_due`. */
const waits = (answers: readonly ClaimAnswer[]) =>
  answers.flatMap((answer) => (answer.kind === 'not_due' ? [(answer.dueAt.getTime() - Date.now()) / 1000] : []));

const age = (ids: readonly string[], seconds: number) => room.db.sql`
  UPDATE whatsapp_messages SET claimed_at = claimed_at - ${seconds}::int * interval '1 second' WHERE id = ANY (${[...ids]}::uuid[])`;

describe('messages from one sender to one person', () => {
  it('of one batch are granted ten a minute, the others are told a minute each and change nothing', async () => {
    const ids = await insert(25, pairOf());
    const answers = await claim(ids);
    expect(kinds(answers)).toEqual(claimedFirst(10, 25));
    const seconds = waits(answers);
    for (const wait of seconds.slice(0, 10)) expect(wait).toBeCloseTo(61, -1);
    for (const wait of seconds.slice(10)) expect(wait).toBeCloseTo(121, -1);
    expect(await room.row(ids.at(10) ?? 'none')).toMatchObject({ status: 'accepted', attempts: 0, claim_token: null });
  });

  it('of many batches share the ten places, and each place is free a minute after it was taken', async () => {
    const pair = pairOf();
    const [old, young, rest] = [await insert(4, pair), await insert(5, pair), await insert(8, pair)];
    await claim(old);
    await claim(young);
    await age(old, 40);
    const answers = await claim(rest);
    expect(kinds(answers)).toEqual(claimedFirst(1, 8));
    const seconds = waits(answers);
    for (const wait of seconds.slice(0, 4)) expect(wait).toBeCloseTo(21, -1);
    for (const wait of seconds.slice(4)) expect(wait).toBeCloseTo(61, -1);
    await age(old, 21);
    expect(kinds(await claim(rest.slice(1)))).toEqual(claimedFirst(4, 7));
  });

  it('go first when they are transactional', async () => {
    const pair = pairOf();
    const bulk = await insert(10, pair);
    const code = await insert(1, { ...pair, priority: 'transactional' });
    expect(kinds(await claim([...bulk, ...code]))).toEqual([...claimedFirst(9, 10), 'claimed']);
  });

  it('take places together under both forms of a Mexican mobile number', async () => {
    const digits = String(randomInt(1_000_000_000, 9_999_999_999));
    const { senderAddress } = acceptedMessage();
    const long = await insert(6, { senderAddress, recipient: `whatsapp:+521${digits}` });
    const short = await insert(6, { senderAddress, recipient: `whatsapp:+52${digits}` });
    expect(kinds(await claim([...long, ...short]))).toEqual(claimedFirst(10, 12));
    const more = await insert(1, { senderAddress, recipient: `whatsapp:+521${digits}` });
    expect(kinds(await claim(more))).toEqual(['not_due']);
  });
});

it('another person, or another sender, has places of their own', async () => {
  const pair = pairOf();
  const full = await insert(10, pair);
  await claim(full);
  const others = [
    ...(await insert(1, { recipient: pair.recipient })),
    ...(await insert(1, { senderAddress: pair.senderAddress })),
    ...(await insert(1, pair)),
  ];
  expect(kinds(await claim(others))).toEqual(['claimed', 'claimed', 'not_due']);
});

it('a row that comes again does not count its own last claim', async () => {
  const pair = pairOf();
  const ids = await insert(10, pair);
  await claim(ids);
  await room.db.sql`UPDATE whatsapp_messages SET status = 'retrying' WHERE id = ${ids.at(0) ?? null}`;
  expect(kinds(await claim(ids.slice(0, 1)))).toEqual(['claimed']);
});

it('two tokens for a row take one place', async () => {
  const ids = await insert(10, pairOf());
  expect(kinds(await claim([...ids, ...ids])).filter((kind) => kind === 'claimed')).toHaveLength(10);
});
