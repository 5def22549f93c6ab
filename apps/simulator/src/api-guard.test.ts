import { randomToken } from '@tickmark/testing';
import { describe, expect, test } from 'vitest';
import { jsonAnswer, type Answer } from './answer.ts';
import { createApiGuard } from './api-guard.ts';

const [SECRET, TOKEN] = [randomToken(), randomToken()];
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const GOOD = { authorization: basic(`SK1:${SECRET}`), accountSid: 'AC1' };
const guardOf = (settings: { concurrencyMax?: number; latencyMs?: number } = {}) =>
  createApiGuard({ accountSid: 'AC1', apiKeySid: 'SK1', apiKeySecret: () => SECRET, authToken: () => TOKEN }, () => ({
    concurrencyMax: null,
    latencyMs: 0,
    ...settings,
  }));
const outcomeOf = async (request: { authorization: string | undefined; accountSid: string }) => {
  const refusals: (Answer | undefined)[] = [];
  await guardOf().admit(request, (refused) => {
    refusals.push(refused);
    return refused ?? jsonAnswer(200, {});
  });
  const [refusal] = refusals;
  return typeof refusal === 'object' ? refusal.status : 'admitted';
};

describe('admit', () => {
  test.each([
    ['the API key and its secret', basic(`SK1:${SECRET}`), 'AC1', 'admitted'],
    ['the account and its token', basic(`AC1:${TOKEN}`), 'AC1', 'admitted'],
    ['the scheme in lower case', basic(`SK1:${SECRET}`).replace('Basic', 'basic'), 'AC1', 'admitted'],
    ['no credentials', undefined, 'AC1', 401],
    ['another key', basic(`SK2:${SECRET}`), 'AC1', 401],
    ['a wrong secret', basic(`SK1:${TOKEN}`), 'AC1', 401],
    ['the token with the key', basic(`SK1:${TOKEN}`), 'AC1', 401],
    ['a bearer token', `Bearer ${SECRET}`, 'AC1', 401],
    ['text without a colon', basic('SK1'), 'AC1', 401],
    ['another account', basic(`SK1:${SECRET}`), 'AC2', 404],
  ])('%s', async (_label, authorization, accountSid, outcome) => {
    expect(await outcomeOf({ authorization, accountSid })).toBe(outcome);
  });

  test('more requests at work than allowed are refused with 20429, and let in again later', async () => {
    const guard = guardOf({ concurrencyMax: 2 });
    const ends: (() => void)[] = [];
    const work = (refused?: Answer) => refused ?? new Promise<Answer>((resolve) => ends.push(() => resolve(jsonAnswer(200, {}))));
    const running = [guard.admit(GOOD, work), guard.admit(GOOD, work)];
    expect(guard.concurrent()).toBe(2);
    const third = await guard.admit(GOOD, work);
    expect(typeof third === 'object' && JSON.parse(third.body)).toMatchObject({ code: 20429, status: 429 });
    for (const end of ends) end();
    await Promise.all(running);
    expect(guard.concurrent()).toBe(0);
    const fourth = guard.admit(GOOD, work);
    ends.at(-1)?.();
    expect(await fourth).toMatchObject({ status: 200 });
  });

  test('the latency passes before the work is done, and counts as work', async () => {
    const guard = guardOf({ latencyMs: 50 });
    const started = performance.now();
    let workedAt = 0;
    const running = guard.admit(GOOD, () => {
      workedAt = performance.now();
      return jsonAnswer(200, {});
    });
    expect(guard.concurrent()).toBe(1);
    await running;
    expect(workedAt - started).toBeGreaterThan(45);
  });

  test('a request that throws is no longer counted', async () => {
    const guard = guardOf();
    await expect(
      guard.admit(GOOD, () => {
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect(guard.concurrent()).toBe(0);
  });
});
