import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { choosePorts, type Ports } from '../scripts/start/choose-ports.ts';

const all = ({ ingress, console: console_, simulator, metrics }: Ports) => [ingress, console_, simulator, ...Object.values(metrics)];

it('ports chosen at the same moment are all different, and come back when they are released', async () => {
  const chosen = await Promise.all(Array.from({ length: 4 }, () => choosePorts()));
  const ports = chosen.flatMap(all);
  expect(new Set(ports).size).toBe(ports.length);
  for (const each of chosen) each.release();
  const again = await choosePorts();
  again.release();
  expect(Math.max(...all(again))).toBeLessThanOrEqual(Math.max(...ports));
});

it('a port that somebody listens on is not chosen', async () => {
  const first = await choosePorts();
  first.release();
  const server = createServer().listen(first.console, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const second = await choosePorts();
  second.release();
  expect(all(second)).not.toContain((server.address() as AddressInfo).port);
  await new Promise((resolve) => server.close(resolve));
});
