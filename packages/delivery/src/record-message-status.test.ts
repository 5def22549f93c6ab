import { statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { recordMessageStatus } from './record-message-status.ts';

const room = deliveryRoom();

it('records one status, and says so when it is repeated', async () => {
  const { message, sid } = await room.sendAccepted();
  const event = statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus: 'delivered' });
  expect(await recordMessageStatus(room, event)).toMatchObject({ kind: 'raised', from: 'queued', to: 'delivered', logged: true });
  expect(await recordMessageStatus(room, event)).toMatchObject({ kind: 'duplicate', to: 'delivered', logged: false });
});

it('throws what the database says of a status that it cannot take', async () => {
  const event = statusEvent({ errorCode: 2 ** 40 });
  await expect(recordMessageStatus(room, event)).rejects.toMatchObject({ code: '22003' });
});
