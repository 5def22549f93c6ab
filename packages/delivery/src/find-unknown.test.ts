import { randomPhone } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { countUnknown } from './count-unknown.ts';
import { findUnknown } from './find-unknown.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { listedFor, moveClaim, unknownMessage } from './fixtures/unknown-rows.ts';
import { recordFailedLooks, recordLooks } from './record-looks.ts';

const room = deliveryRoom();

const find = () => findUnknown(room.db, { lookAgesSeconds: [60, 300], pauseSeconds: 60, limit: 100 });
const isDue = async (id: string) => (await find()).some(({ attempts }) => attempts.some((attempt) => attempt.id === id));
const agoLooked = (id: string, seconds: number) =>
  room.db.sql`UPDATE outcome_searches SET looked_at = now() - ${seconds} * interval '1 second' WHERE message_id = ${id}`;

it('an unknown attempt is due at 60 s and again at 5 min after its claim, and never after that', async () => {
  const { id } = await unknownMessage(room, 58);
  expect(await isDue(id)).toBe(false);
  await moveClaim(room, id, 61);
  expect(await isDue(id)).toBe(true);
  await recordLooks(room.db, [{ id, attempt: 1, looksBefore: 0, kind: 'absent', candidates: [] }]);
  await agoLooked(id, 200);
  await moveClaim(room, id, 290);
  expect(await isDue(id)).toBe(false);
  await moveClaim(room, id, 301);
  expect(await isDue(id)).toBe(true);
  await recordLooks(room.db, [{ id, attempt: 1, looksBefore: 1, kind: 'absent', candidates: [] }]);
  await agoLooked(id, 90_000);
  await moveClaim(room, id, 100_000);
  expect(await isDue(id)).toBe(false);
});

it('two looks, also after one that failed, are a minute apart: after a pause of the search they are no two proofs', async () => {
  const { id } = await unknownMessage(room, 900);
  await recordLooks(room.db, [{ id, attempt: 1, looksBefore: 0, kind: 'absent', candidates: [] }]);
  expect(await isDue(id)).toBe(false);
  await agoLooked(id, 61);
  expect(await isDue(id)).toBe(true);
  await recordFailedLooks(room.db, [{ id, attempt: 1 }]);
  expect(await isDue(id)).toBe(false);
  await agoLooked(id, 61);
  expect(await isDue(id)).toBe(true);
});

it('what went from one sender to one person comes together; other rows do not come', async () => {
  const pair = { senderAddress: `whatsapp:${randomPhone()}`, recipient: `whatsapp:${randomPhone()}` };
  const [first, second] = [await unknownMessage(room, 70, pair), await unknownMessage(room, 65, pair)];
  const sending = await room.insert(pair);
  await room.claim(sending.id);
  await moveClaim(room, sending.id, 70);
  const found = (await find()).filter(({ recipient }) => recipient === pair.recipient);
  expect(found).toEqual([
    {
      ...pair,
      sender: 'support',
      attempts: [first, second].map(({ id }) => ({ id, attempt: 1, claimedAt: expect.any(Date), looks: 0 })),
    },
  ]);
});

it('unknown outcomes are counted by whether something is listed that may be theirs', async () => {
  const before = await countUnknown(room.db);
  const [seen, unseen] = [await unknownMessage(room, 70), await unknownMessage(room, 70)];
  await unknownMessage(room, 5);
  await recordLooks(room.db, [
    { id: seen.id, attempt: 1, looksBefore: 0, kind: 'ambiguous', candidates: [listedFor(seen, 70)] },
    { id: unseen.id, attempt: 1, looksBefore: 0, kind: 'absent', candidates: [] },
  ]);
  expect(await countUnknown(room.db)).toEqual({ listed: before.listed + 1, unlisted: before.unlisted + 2 });
});
