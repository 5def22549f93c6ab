import net from 'node:net';
import { randomToken } from '@tickmark/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { startCallbackReceiver, type ReceiverAct } from './fixtures/callback-receiver.ts';
import { createHttpPoster, type PostRequest } from './http-post.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close();
});

const post = (url: string, fields: Partial<PostRequest> = {}) => {
  const poster = createHttpPoster({ socketsMax: 2 });
  open.push(poster);
  const body = 'a=1';
  const headers = ['Host', new URL(url).host, 'Content-Length', String(body.length), 'Connection', 'keep-alive'];
  return poster.post({ url: new URL(url), headers, body, connectTimeoutMs: 2000, readTimeoutMs: 2000, totalTimeoutMs: 60_000, ...fields });
};
const receiverThat = async (act: ReceiverAct) => {
  const receiver = await startCallbackReceiver({ authToken: randomToken() });
  receiver.script.push(act);
  open.push(receiver);
  return receiver.url;
};

describe('post', () => {
  test.each<[ReceiverAct, object, object]>([
    [204, {}, { kind: 'answered', status: 204 }],
    [503, {}, { kind: 'answered', status: 503 }],
    [302, {}, { kind: 'answered', status: 302 }],
    ['reset', {}, { kind: 'broken' }],
    ['silence', { readTimeoutMs: 100 }, { kind: 'rt' }],
    ['silence', { totalTimeoutMs: 100 }, { kind: 'rt' }],
    ['half-answer', {}, { kind: 'partial' }],
    ['drip', { readTimeoutMs: 200, totalTimeoutMs: 400 }, { kind: 'partial' }],
  ])('a receiver that does %s, with %o, gives %o', async (act, fields, result) => {
    expect(await post(await receiverThat(act), fields)).toEqual(result);
  });

  test('nobody at the port is "ct"', async () => {
    const receiver = await startCallbackReceiver({ authToken: randomToken() });
    await receiver.close();
    expect(await post(receiver.url)).toEqual({ kind: 'ct' });
  });

  test('a TLS handshake that never ends is "ct"', async () => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    open.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    const { port } = server.address() as net.AddressInfo;
    expect(await post(`https://127.0.0.1:${port}/`, { connectTimeoutMs: 150 })).toEqual({ kind: 'ct' });
  });
});
