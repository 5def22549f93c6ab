import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomPhone, testFolder } from '../../index.ts';

test('a log with a phone number', () => {
  const file = join(testFolder('log'), 'app.log');
  writeFileSync(file, `sent to ${randomPhone()}\n`);
  expect(file).toContain('app.log');
});
