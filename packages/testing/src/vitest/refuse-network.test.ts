import dgram from 'node:dgram';
import dns from 'node:dns';
import { get } from 'node:https';
import net from 'node:net';
import { expect, test } from 'vitest';
import { spawnProcess } from '../fixtures/spawn-process.ts';
import { NetworkRefusedError } from './refuse-network.ts';

// Addresses of TEST-NET-1, which lead nowhere: without the refusal these tests end at their deadline.
const attempts: [string, () => Promise<unknown>][] = [
  ['net.connect by options', () => failureOf(net.connect({ host: '192.0.2.1', port: 80 }))],
  ['net.connect by port and host', () => failureOf(net.connect(80, '192.0.2.1'))],
  ['a socket of its own', () => failureOf(new net.Socket().connect(80, 'example.com'))],
  ['https.get', () => failureOf(get('https://api.twilio.com/'))],
  ['fetch', () => fetch('http://192.0.2.1/').catch((error: Error) => error.cause)],
  ['dns.lookup', () => new Promise((resolve) => dns.lookup('example.com', resolve))],
  ['dns.promises.resolve', () => dns.promises.resolve('example.com').catch((error: unknown) => error)],
];

test.each(attempts)('%s to another machine is refused', async (_, attempt) => {
  expect(await attempt()).toBeInstanceOf(NetworkRefusedError);
});

test('a datagram to another machine is refused', async () => {
  const socket = dgram.createSocket('udp4');
  expect(() => socket.send('x', 9, '192.0.2.1')).toThrow(NetworkRefusedError);
  await new Promise<void>((resolve) => socket.close(resolve));
});

test('this machine can be reached by every name it has', async () => {
  const server = net.createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  for (const host of ['127.0.0.1', 'localhost', '::ffff:127.0.0.1']) {
    const socket = net.connect({ port, host });
    const connected = new Promise((resolve, reject) => socket.once('connect', () => resolve(true)).once('error', reject));
    expect(await connected).toBe(true);
    socket.destroy();
  }
  await new Promise((resolve) => server.close(resolve));
});

test('an app that a test starts cannot leave the machine either', async () => {
  const app = spawnProcess({ entry: 'packages/testing/src/vitest/planted/leave-machine.ts' });
  expect(await app.waitForMessage(() => true)).toEqual({ outside: 'ENETREFUSED', inside: 'open' });
  await app.kill();
}, 40_000);

function failureOf(target: NodeJS.EventEmitter): Promise<unknown> {
  return new Promise((resolve) => target.once('error', resolve));
}
