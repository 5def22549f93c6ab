import net from 'node:net';
import { captureLogger, randomToken } from '@tickmark/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { createCallbackSender, type CallbackSender } from './callback-sender.ts';
import { startCallbackReceiver, type CallbackReceiver, type ReceiverAct } from './fixtures/callback-receiver.ts';

const TOKEN = randomToken();
const { log } = captureLogger({ process: 'simulator' });
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close();
});

const newSender = (options: { inFlightMax?: number } = {}): CallbackSender => {
  const sender = createCallbackSender({ authToken: () => TOKEN, log, ...options });
  open.push(sender);
  return sender;
};
const newReceiver = async (...script: ReceiverAct[]): Promise<CallbackReceiver> => {
  const receiver = await startCallbackReceiver({ authToken: TOKEN });
  receiver.script.push(...script);
  open.push(receiver);
  return receiver;
};

describe('send', () => {
  test('a webhook is a signed form, its fragment is neither sent nor signed', async () => {
    const receiver = await newReceiver();
    const result = await newSender().send({
      url: `${receiver.url}/status?m=1&a=2#rc=5`,
      params: { MessageStatus: 'sent', Body: 'Grüße & 100 % + mehr', Empty: '' },
    });
    expect(result).toEqual({ httpStatus: 204, tries: 1 });
    const [webhook] = receiver.received;
    expect(webhook).toMatchObject({ path: '/status?m=1&a=2', signed: true });
    expect({ ...webhook?.params }).toEqual({ MessageStatus: 'sent', Body: 'Grüße & 100 % + mehr', Empty: '' });
    expect(webhook?.headers['i-twilio-idempotency-token']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each<{ overrides: string; script: ReceiverAct[]; httpStatus: number | null; tries: number }>([
    { overrides: '', script: [500], httpStatus: 500, tries: 1 },
    { overrides: '', script: [404], httpStatus: 404, tries: 1 },
    { overrides: '', script: ['reset'], httpStatus: null, tries: 1 },
    { overrides: '#rc=5&rp=ct,rt,5xx', script: [500, 503, 204], httpStatus: 204, tries: 3 },
    { overrides: '#rc=5&rp=ct,rt,5xx', script: [403], httpStatus: 403, tries: 1 },
    { overrides: '#rc=2&rp=5xx', script: [500, 500, 500, 204], httpStatus: 500, tries: 3 },
    { overrides: '#rc=0&rp=all', script: [500], httpStatus: 500, tries: 1 },
    { overrides: '#rc=3&rp=4xx', script: [429, 204], httpStatus: 204, tries: 2 },
    { overrides: '#rc=3&rp=all', script: ['reset', 400, 500, 204], httpStatus: 204, tries: 4 },
    { overrides: '#rc=3&rp=ct,rt,5xx', script: ['reset'], httpStatus: null, tries: 1 },
    { overrides: '#rc=3&rp=rt&rt=150', script: ['silence', 204], httpStatus: 204, tries: 2 },
    { overrides: '#rc=3&rp=ct&rt=150', script: ['silence'], httpStatus: null, tries: 1 },
    { overrides: '#rc=3&rp=all', script: ['half-answer'], httpStatus: null, tries: 1 },
    { overrides: '#rc=3&rp=all', script: [302], httpStatus: 302, tries: 1 },
    { overrides: '#rc=5&rp=all&tt=400', script: ['drip'], httpStatus: null, tries: 1 },
  ])('overrides "$overrides" and a receiver that does $script end after $tries tries', async ({ overrides, script, httpStatus, tries }) => {
    const receiver = await newReceiver(...script);
    expect(await newSender().send({ url: `${receiver.url}/status${overrides}`, params: {} })).toEqual({ httpStatus, tries });
    expect(receiver.received).toHaveLength(tries);
  });

  test('every retry carries the same idempotency token', async () => {
    const receiver = await newReceiver(500, 500);
    await newSender().send({ url: `${receiver.url}/#rc=5&rp=5xx`, params: {} });
    expect(new Set(receiver.received.map(({ headers }) => headers['i-twilio-idempotency-token'])).size).toBe(1);
    expect(receiver.received).toHaveLength(3);
  });

  test('a refused connection is tried twice by default and finds a receiver that came back', async () => {
    const gone = await startCallbackReceiver({ authToken: TOKEN });
    await gone.close();
    const port = Number(new URL(gone.url).port);
    expect(await newSender().send({ url: `${gone.url}/`, params: {} })).toEqual({ httpStatus: null, tries: 2 });
    const sending = newSender().send({ url: `${gone.url}/#rc=5&rp=ct`, params: {} });
    open.push(await startCallbackReceiver({ authToken: TOKEN, port }));
    expect((await sending).httpStatus).toBe(204);
  });

  test('the total time-out ends the tries, however many are left', async () => {
    const receiver = await newReceiver(...Array.from({ length: 9 }, () => 'silence' as const));
    const started = performance.now();
    const result = await newSender().send({ url: `${receiver.url}/#rc=5&rp=rt&rt=200&tt=700`, params: {} });
    expect(result.httpStatus).toBeNull();
    expect(result.tries).toBeLessThan(5);
    expect(performance.now() - started).toBeLessThan(900);
  });

  test('a kept connection that the receiver closed meanwhile costs no try', async () => {
    let connections = 0;
    const server = net.createServer((socket) => {
      const serial = ++connections;
      let requests = 0;
      socket.on('data', () => {
        if (serial === 1 && ++requests > 1) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n');
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
    const sender = newSender();
    const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/`;
    expect(await sender.send({ url, params: {} })).toEqual({ httpStatus: 204, tries: 1 });
    expect(await sender.send({ url, params: {} })).toEqual({ httpStatus: 204, tries: 1 });
    expect(connections).toBe(2);
    sender.close();
  });

  test('more webhooks than may be under way wait for their turn, and all arrive', async () => {
    const receiver = await newReceiver();
    const sender = newSender({ inFlightMax: 2 });
    const results = Promise.all(Array.from({ length: 50 }, (_, index) => sender.send({ url: `${receiver.url}/${index}`, params: {} })));
    expect(sender.pending()).toBe(50);
    expect(new Set((await results).map(({ httpStatus }) => httpStatus))).toEqual(new Set([204]));
    expect(receiver.received).toHaveLength(50);
    expect(sender.pending()).toBe(0);
  });

  test('the time that a webhook waits for its turn does not count against its time-outs', async () => {
    const receiver = await newReceiver('silence');
    const sender = newSender({ inFlightMax: 1 });
    const slow = sender.send({ url: `${receiver.url}/#rc=0&rt=700`, params: {} });
    const next = sender.send({ url: `${receiver.url}/#rc=0&tt=500`, params: {} });
    expect(await slow).toEqual({ httpStatus: null, tries: 1 });
    expect(await next).toEqual({ httpStatus: 204, tries: 1 });
  });

  test('after close nothing is sent any more', async () => {
    const receiver = await newReceiver();
    const sender = newSender();
    sender.close();
    expect(await sender.send({ url: receiver.url, params: {} })).toEqual({ httpStatus: null, tries: 0 });
    expect(receiver.received).toEqual([]);
  });
});
