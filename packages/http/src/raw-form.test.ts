import { describe, expect, test } from 'vitest';
import { ask, startServer } from './fixtures/start-server.ts';
import { acceptRawForms, RAW_FORM_BYTES_MAX } from './raw-form.ts';

const start = () =>
  startServer(async (server) => {
    await server.register(async (scope) => {
      acceptRawForms(scope);
      scope.post('/hook', async ({ body }) => (Buffer.isBuffer(body) ? body.toString('latin1') : typeof body));
    });
    server.post('/json', async ({ body }) => ({ body }));
  });

const post = (body: string | Buffer, type: string): RequestInit => ({
  method: 'POST',
  headers: { 'Content-Type': type },
  body: new Uint8Array(Buffer.from(body)),
});
const FORM = 'application/x-www-form-urlencoded';

describe('raw forms', () => {
  test('the handler gets the bytes as sent', async () => {
    const { url } = await start();
    const body = 'b=%20x+y&a=&a=1&c=\u00ff';
    expect((await ask(`${url}/hook`, post(Buffer.from(body, 'latin1'), FORM))).text).toBe(body);
    expect((await ask(`${url}/hook`, post('a=1', `${FORM}; charset=UTF-8`))).text).toBe('a=1');
  });

  test.each([['application/json'], ['text/plain'], ['multipart/form-data; boundary=x']])('%s is 415', async (type) => {
    const { url } = await start();
    expect(await ask(`${url}/hook`, post('{}', type))).toMatchObject({ status: 415, json: { error: { code: 'UNSUPPORTED_MEDIA_TYPE' } } });
  });

  test('64 KiB are taken, and a byte more is 413', async () => {
    const { url } = await start();
    expect((await ask(`${url}/hook`, post('x'.repeat(RAW_FORM_BYTES_MAX), FORM))).status).toBe(200);
    expect(await ask(`${url}/hook`, post('x'.repeat(RAW_FORM_BYTES_MAX + 1), FORM))).toMatchObject({
      status: 413,
      json: { error: { code: 'PAYLOAD_TOO_LARGE' } },
    });
  });

  test('other routes still read JSON and no forms', async () => {
    const { url } = await start();
    expect((await ask(`${url}/json`, post('{"a":1}', 'application/json'))).json).toEqual({ body: { a: 1 } });
    expect((await ask(`${url}/json`, post('a=1', FORM))).status).toBe(415);
  });
});
