import { createMetrics } from '@tickmark/runtime';
import { captureLogger } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { createServer } from './create-server.ts';
import { listen } from './listen.ts';

const create = () =>
  createServer({
    log: captureLogger().log,
    metrics: createMetrics({ process: 'ingress' }),
    ready: async () => ({ ready: true, reasons: [] }),
    version: '0.0.0',
  });

it('tells the address that it listens on', async () => {
  const server = await create();
  const address = await listen(server, { host: '127.0.0.1', port: 0, portKey: 'INGRESS_PORT' });
  expect((await fetch(`${address}/health/live`)).status).toBe(200);
  await server.close();
});

it('says which setting to change when the port is taken or the host is not ours', async () => {
  const [first, second] = [await create(), await create()];
  const port = Number(new URL(await listen(first, { host: '127.0.0.1', port: 0, portKey: 'INGRESS_PORT' })).port);
  await expect(listen(second, { host: '127.0.0.1', port, portKey: 'INGRESS_PORT' })).rejects.toThrow(
    `INGRESS_PORT ${port} is taken on 127.0.0.1`,
  );
  await expect(listen(second, { host: '203.0.113.7', port: 0, portKey: 'INGRESS_PORT' })).rejects.toThrow(
    'check LISTEN_HOST and INGRESS_PORT',
  );
  await Promise.all([first.close(), second.close()]);
});
