import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { createDatabase } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { withAdvisoryLock } from './with-advisory-lock.ts';

const room = deliveryRoom();

it('one runs at a time; another is told at once and does not wait', async () => {
  const other = createDatabase({ url: room.url, prepare: true, max: 2, applicationName: 'other' });
  try {
    const result = await withAdvisoryLock(room.db, 'sweeper', async () => {
      expect(await withAdvisoryLock(other, 'sweeper', () => Promise.resolve('never'))).toEqual({ ran: false });
      expect(await withAdvisoryLock(other, 'reconciler', () => Promise.resolve('at once'))).toEqual({ ran: true, value: 'at once' });
      return 'done';
    });
    expect(result).toEqual({ ran: true, value: 'done' });
    expect(await withAdvisoryLock(other, 'sweeper', () => Promise.resolve(1))).toEqual({ ran: true, value: 1 });
  } finally {
    await other.close();
  }
});

it('what runs under it writes in transactions of its own', async () => {
  await withAdvisoryLock(room.db, 'writer', async () => {
    const { id } = await room.insert();
    expect(await room.row(id)).toMatchObject({ status: 'accepted' });
  });
});

it('is free again after an error, which comes through', async () => {
  const error = new Error('from within');
  await expect(withAdvisoryLock(room.db, 'failing', () => Promise.reject(error))).rejects.toBe(error);
  expect(await withAdvisoryLock(room.db, 'failing', () => Promise.resolve(1))).toEqual({ ran: true, value: 1 });
});

describe('a lock whose process gives no sign of life', () => {
  const tried = (name: string) => withAdvisoryLock(room.db, name, () => Promise.resolve('mine'));
  const held = (name: string, everyMs: number) =>
    withAdvisoryLock(room.db, name, () => pause(4_000), { everyMs, idleMsMax: 1_500 }).then(
      () => 'kept',
      () => 'lost',
    );

  it('is taken away, so that another one can go on', async () => {
    const outcome = held('frozen', 60_000);
    await waitFor(async () => !(await tried('frozen')).ran, { message: 'the lock to be held' });
    await waitFor(async () => (await tried('frozen')).ran, { message: 'the lock to be free' });
    expect(await outcome).toBe('lost');
  });

  it('is kept for as long as the signs come', async () => {
    const outcome = held('alive', 100);
    expect(await outcome).toBe('kept');
  });
});
