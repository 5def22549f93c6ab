import { expect, it } from 'vitest';
import { settleEach } from './settle-each.ts';

const databaseError = (code: string) => Object.assign(new Error(code), { code });

it('an error of one item’s data is that item’s result alone', async () => {
  const bad = databaseError('22P02');
  expect(await settleEach([Promise.resolve(1), Promise.reject(bad), Promise.resolve(3)])).toEqual([
    { ok: true, value: 1 },
    { ok: false, error: bad },
    { ok: true, value: 3 },
  ]);
});

it.each(['57P01', '40P01', '53300'])('an error that says the store is away (%s) is thrown for the whole batch', async (code) => {
  await expect(settleEach([Promise.resolve(1), Promise.reject(databaseError(code))])).rejects.toMatchObject({ code });
});
