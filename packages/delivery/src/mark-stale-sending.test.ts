import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { markStaleSending } from './mark-stale-sending.ts';

const room = deliveryRoom();

it('a claim older than the limit becomes unknown and keeps its token; a younger one and other rows stay', async () => {
  const [stale, young, waiting, sent] = [await claimedAgo(61), await claimedAgo(58), (await room.insert()).id, await room.sendAccepted()];
  await room.db.sql`UPDATE whatsapp_messages SET claimed_at = now() - interval '1 hour' WHERE id = ${sent.message.id}`;
  const { claim_token: token } = (await room.row(stale))!;
  expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(1);
  expect(await room.row(stale)).toMatchObject({ status: 'unknown', rank: 0, claim_token: token, attempts: 1 });
  expect(await room.row(young)).toMatchObject({ status: 'sending' });
  expect(await room.row(waiting)).toMatchObject({ status: 'accepted' });
  expect(await room.row(sent.message.id)).toMatchObject({ status: 'queued' });
  expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(0);
});

it('a row that a statement is just writing is left out, and nobody waits for it', async () => {
  const id = await claimedAgo(61);
  await room.db.sql.begin(async (tx) => {
    await tx`SELECT FROM whatsapp_messages WHERE id = ${id} FOR UPDATE`;
    expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(0);
  });
  expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(1);
});

async function claimedAgo(seconds: number): Promise<string> {
  const { id } = await room.insert();
  await room.claim(id);
  await room.db.sql`UPDATE whatsapp_messages SET claimed_at = now() - ${seconds} * interval '1 second' WHERE id = ${id}`;
  return id;
}
