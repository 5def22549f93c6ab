import { describeError } from '@tickmark/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

describe('GET /v1/errors/:code', () => {
  it.each([63016, 21610, 20429])('tells what %i means, in the words of the table', async (code) => {
    expect(await app.get(`/v1/errors/${code}`)).toMatchObject({ status: 200, json: describeError(code) });
    expect(Object.keys((await app.get(`/v1/errors/${code}`)).json)).toHaveLength(7);
  });

  it('is honest about a code that nobody knows', async () => {
    const { status, json } = await app.get('/v1/errors/63999');
    expect([status, json]).toEqual([200, { ...describeError(63999), known: false }]);
  });

  it('knows no code of ten digits and more', async () => {
    expect(await app.get('/v1/errors/1234567890')).toMatchObject({ status: 200, json: { code: 1_234_567_890, known: false } });
  });

  it.each(['abc', '-1', '6.3', '63016.0', '1e3', '0x1f', '%20', '99999999999999999999'])('refuses %s', async (code) => {
    expect(await app.get(`/v1/errors/${code}`)).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
  });
});

describe('GET /v1/errors', () => {
  it('lists all that are known, or those that hold every word', async () => {
    const codes = async (query: string) =>
      (await app.get(`/v1/errors${query}`)).json.items.map((item) => (item as unknown as { code: number }).code);
    expect((await codes('')).length).toBeGreaterThan(200);
    expect(await codes('?q=63016')).toEqual([63016]);
    expect(await codes('?q=OPTED%20out')).toContain(21610);
    expect(await codes('?q=no-such-word')).toEqual([]);
  });
});
