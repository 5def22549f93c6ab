import { createServer } from 'node:http';
import { expect, test } from 'vitest';

test('a server that is never closed', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  expect(server.listening).toBe(true);
});
