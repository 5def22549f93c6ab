import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomBody, testFolder } from '../../index.ts';

test('a file that closes what it opens', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await new Promise((resolve) => server.close(resolve));
  writeFileSync(join(testFolder('log'), 'app.log'), 'nothing to see');
  expect(randomBody()).toContain('body');
});
