import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { listSenders, seedSenders } from './seed-senders.ts';

const room = deliveryRoom();

it('adds what is missing; from then on the table is right', async () => {
  const support = { alias: 'support', address: 'whatsapp:+14155238886', mps: 80 };
  await seedSenders(room.db, [support, { alias: 'news', address: `MG${'a'.repeat(32)}`, mps: 0.5 }]);
  await room.db.sql`UPDATE senders SET mps = 10, state = 'paused' WHERE alias = 'support'`;
  await seedSenders(room.db, [
    { ...support, mps: 400 },
    { ...support, alias: 'same-address' },
  ]);
  expect([...(await listSenders(room.db))]).toEqual([
    { alias: 'news', address: `MG${'a'.repeat(32)}`, mps: 0.5, state: 'active' },
    { alias: 'support', address: 'whatsapp:+14155238886', mps: 10, state: 'paused' },
  ]);
});

it('by many processes at once adds each once', async () => {
  const senders = Array.from({ length: 5 }, (_, index) => ({ alias: `s${index}`, address: `whatsapp:+1555000000${index}`, mps: 1 }));
  await Promise.all([senders, senders.toReversed(), senders].map((order) => seedSenders(room.db, order)));
  expect((await listSenders(room.db)).filter(({ alias }) => /^s\d$/.test(alias))).toHaveLength(5);
});
