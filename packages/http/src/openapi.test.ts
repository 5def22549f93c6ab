import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseApiKeys } from './api-keys.ts';
import { createAuthenticator } from './authenticate.ts';
import { ask, startServer } from './fixtures/start-server.ts';
import { registerOpenApi } from './openapi.ts';

const start = () =>
  startServer(async (server) => {
    await registerOpenApi(server, { title: 'Tickmark <test>', version: '1.2.3', description: 'Sends & knows.' });
    const keys = await createAuthenticator(server, { keys: () => parseApiKeys('') });
    server.post(
      '/v1/things/:id',
      {
        onRequest: keys.require('send', 'read'),
        schema: {
          summary: 'Makes a <thing>',
          params: z.object({ id: z.uuid() }),
          querystring: z.object({ dry: z.stringbool().optional() }),
          body: z.strictObject({ name: z.string().max(5), tags: z.record(z.string(), z.string()).default({}) }),
          response: { 202: z.object({ id: z.string() }).describe('It will be made.') },
        },
      },
      async () => ({ id: '1' }),
    );
    server.get('/hidden', { schema: { hide: true } }, async () => 'x');
    server.get('/plain', async () => 'x');
  });

interface Operation {
  security?: unknown;
  requestBody: { content: { 'application/json': { schema: unknown } } };
  responses: Record<string, unknown>;
}

describe('the OpenAPI document', () => {
  test('is 3.1 and made from the schemas and scopes of the routes', async () => {
    const { url } = await start();
    const { headers, text } = await ask(`${url}/docs/openapi.json`);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    const document = JSON.parse(text) as { openapi: string; info: unknown; paths: Record<string, Record<string, Operation>> };
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Tickmark <test>', version: '1.2.3' } });
    expect(document.paths['/v1/things/{id}']?.['post']).toMatchObject({
      summary: 'Makes a <thing>',
      security: [{ apiKey: ['send'] }, { apiKey: ['read'] }],
      requestBody: {
        content: {
          'application/json': {
            schema: { type: 'object', additionalProperties: false, required: ['name'], properties: { name: { maxLength: 5 } } },
          },
        },
      },
      responses: {
        202: { description: 'It will be made.' },
        default: { content: { 'application/json': { schema: { required: ['error'] } } } },
      },
    });
  });

  test('tells neither hidden routes nor its own, and asks no key where none is needed', async () => {
    const { url } = await start();
    const { paths } = JSON.parse((await ask(`${url}/docs/openapi.json`)).text) as { paths: Record<string, Record<string, Operation>> };
    expect(Object.keys(paths)).toEqual(['/v1/things/{id}', '/plain']);
    expect(paths['/plain']?.['get']?.security).toBeUndefined();
  });
});

describe('the page', () => {
  test('lists the operations, escapes what it shows, and needs no script and no other origin', async () => {
    const { url } = await start();
    const { headers, text } = await ask(`${url}/docs`);
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    expect(text).toContain('<b>POST</b> /v1/things/{id}');
    expect(text).toContain('Makes a &lt;thing&gt;');
    expect(text).toContain('API key with the scope send or read.');
    expect(text).toContain('<h2 id="other">other</h2>');
    expect(text).toContain('<td><code>id</code></td><td>uuid, required, in the path</td>');
    expect(text).not.toMatch(/<script|<thing>|<test>|src=|https?:\/\/(?!json-schema)/);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; frame-ancestors 'none'/);
  });

  test('its style is the one that its policy names', async () => {
    const { createHash } = await import('node:crypto');
    const { url } = await start();
    const { headers, text } = await ask(`${url}/docs`);
    const style = /<style>([^]*)<\/style>/.exec(text)?.[1] ?? '';
    expect(headers.get('content-security-policy')).toContain(createHash('sha256').update(style).digest('base64'));
  });

  test('its link leads to the document', async () => {
    const { url } = await start();
    const { text } = await ask(`${url}/docs`);
    const href = /href="([^"]+)"/.exec(text)?.[1] ?? '';
    expect((await ask(new URL(href, `${url}/docs`).href)).status).toBe(200);
  });
});
