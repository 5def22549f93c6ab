import { randomUUID } from 'node:crypto';
import { randomApiKey } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness, type KeyName } from './fixtures/console-harness.ts';
import { OPERATION_EXAMPLES } from './fixtures/operation-examples.ts';
import { createAnswerValidator, type Operation } from './fixtures/validate-answers.ts';

/** Routes that anybody may ask; none of them is in the document. */
const OPEN_ROUTES = ['GET /docs', 'GET /docs/openapi.json', 'GET /health/live', 'GET /health/ready', 'GET /version'];

/** One key of each scope. */
const KEYS = { send: 'mail', read: 'desk', admin: 'boss' } as const satisfies Record<string, KeyName>;

let app: ConsoleHarness;
let operations: { name: string; method: string; template: string; scopes: string[]; operation: Operation }[];
beforeAll(async () => {
  app = await createConsoleHarness();
  operations = Object.entries(app.document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const scopes = (operation.security ?? []).flatMap(({ apiKey }) => apiKey);
      return { name: `${method.toUpperCase()} ${template}`, method: method.toUpperCase(), template, scopes, operation };
    }),
  );
});
afterAll(() => app.close());

/** The path of a document with something in the place of each parameter. */
const fill = (template: string, value: string) => template.replaceAll(/\{[^}]+\}/g, value);

describe('every route', () => {
  it('is in the OpenAPI document, or open by a decision', () => {
    const documented = operations.map(({ name }) => name.replaceAll(/\{([^}]+)\}/g, ':$1'));
    expect(app.routes().toSorted()).toEqual([...documented, ...OPEN_ROUTES].toSorted());
  });

  it('asks for a key: reading for every GET, administering for all the rest, sending for messages alone', () => {
    for (const { name, method, template, scopes } of operations) {
      const ofMessages = template.startsWith('/v1/messages') ? ['send'] : [];
      const allowed = method === 'GET' ? ['read', 'admin', ...ofMessages] : ['admin'];
      expect([name, scopes]).toEqual([name, expect.arrayContaining([method === 'GET' ? 'read' : 'admin'])]);
      expect([name, scopes.filter((scope) => !allowed.includes(scope))]).toEqual([name, []]);
    }
  });

  it('refuses a missing key, a wrong one, and one of another scope, before anything else', async () => {
    for (const { name, method, template, scopes } of operations) {
      const path = fill(template, randomUUID());
      const ask = async (options: Parameters<ConsoleHarness['ask']>[2]) => {
        const { status, json } = await app.ask(method, path, options);
        return [name, status, json.error.code];
      };
      expect(await ask({ key: null })).toEqual([name, 401, 'UNAUTHENTICATED']);
      expect(await ask({ key: null, headers: { authorization: `Bearer ${randomApiKey()}` } })).toEqual([name, 401, 'UNAUTHENTICATED']);
      for (const [scope, key] of Object.entries(KEYS)) {
        if (!scopes.includes(scope)) expect(await ask({ key })).toEqual([name, 403, 'FORBIDDEN_SCOPE']);
      }
    }
  });

  it('refuses a parameter that no store can hold, or that is no such time', async () => {
    const years = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59'];
    const cursors = [
      ...years.map((time) => [time, randomUUID()]),
      ['\0', '\0'],
      [years[0], 'a', 'b', 'all'],
      ['2026-01-01T00:00:00Z', '\0', 'b', 'all'],
    ];
    const bad: Record<string, string[]> = {
      since: years,
      until: years,
      cursor: cursors.map((position) => Buffer.from(JSON.stringify(position)).toString('base64url')),
    };
    const reads = operations.filter(({ method }) => method === 'GET');
    for (const { template, operation } of reads) {
      for (const { name, in: place } of operation.parameters ?? []) {
        for (const value of ['\0', ...(bad[name] ?? [])]) {
          const { status } = await app.get(place === 'query' ? `${template}?${name}=${encodeURIComponent(value)}` : fill(template, '%00'));
          expect([template, name, value, status]).toEqual([template, name, value, expect.toSatisfy((one) => one >= 200 && one < 500)]);
          if (value !== '\0') expect([template, name, value, status]).toEqual([template, name, value, 400]);
        }
      }
    }
    expect(await app.post('/v1/senders/%00', { mps: 1 })).toMatchObject({ status: 400 });
  });

  it("shows a sending key no other producer's message", async () => {
    const foreign = await app.insert({ producer: 'shop' });
    const open = operations.filter(({ scopes }) => scopes.includes('send'));
    expect(open.length).toBeGreaterThan(0);
    for (const { name, method, template } of open) {
      const { status, text } = await app.ask(method, fill(template, foreign.id), { key: 'mail' });
      expect([name, status]).toEqual([name, template.includes('{id}') ? 404 : 200]);
      expect(text).not.toContain(foreign.id);
    }
  });
});

describe('every documented operation', () => {
  it('succeeds with an answer that fits the document', { timeout: 60_000 }, async () => {
    const names = operations.map(({ name }) => name);
    const addToOperationExamples = names.filter((name) => !(name in OPERATION_EXAMPLES));
    expect({ addToOperationExamples }).toEqual({ addToOperationExamples: [] });
    expect(Object.keys(OPERATION_EXAMPLES).filter((name) => !names.includes(name))).toEqual([]);
    for (const name of names) {
      const answer = await OPERATION_EXAMPLES[name]?.(app);
      expect([name, answer?.status, app.succeeded.has(name)]).toEqual([name, expect.toSatisfy(isSuccess), true]);
    }
  });

  it('says what it does, under which heading, and what each parameter means', () => {
    for (const { name, operation } of operations) {
      expect([name, operation.summary?.length ?? 0, operation.tags?.length]).toEqual([name, expect.toSatisfy((length) => length > 10), 1]);
      const describeInSchema = (operation.parameters ?? []).filter(({ description }) => description === undefined).map((one) => one.name);
      expect({ name, describeInSchema }).toEqual({ name, describeInSchema: [] });
    }
  });
});

it('an answer that does not fit the document fails the test that got it', async () => {
  const { id } = await app.insert();
  const responses = { 200: { content: { 'application/json': { schema: { required: ['colour'] } } } } };
  const document = { paths: { '/v1/messages/{id}': { get: { responses } } } };
  const { json } = await app.get(`/v1/messages/${id}`);
  const answer = { method: 'GET', path: `/v1/messages/${id}`, status: 200, contentType: 'application/json', json };
  expect(() => createAnswerValidator(document)(answer)).toThrow(/colour/);
  expect(() => createAnswerValidator(app.document)({ ...answer, path: '/v1/nothing' })).toThrow(/does not know it/);
});

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
