import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, testFolder } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/tickmark.mjs', import.meta.url));

describe('the bin', { timeout: 90_000 }, () => {
  it('runs the sources from any folder, and its exit code is the command’s', async () => {
    const cwd = testFolder('elsewhere');
    expect(await bin(['--version'], { cwd })).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: '' });
    expect(await bin(['nonsense'], { cwd })).toMatchObject({ code: 2, out: '' });
    expect(
      await bin(['status', 'x'], { cwd, env: { TICKMARK_API_KEY: 'k', TICKMARK_CONSOLE_URL: `http://127.0.0.1:${await freePort()}` } }),
    ).toMatchObject({
      code: 1,
      out: '',
    });
  });

  it('reads the .env of its folder, and what is set already wins', async () => {
    const cwd = testFolder('configured');
    mkdirSync(cwd, { recursive: true });
    const [fromFile, given] = [await freePort(), await freePort()];
    writeFileSync(join(cwd, '.env'), `TICKMARK_API_KEY=k\nTICKMARK_CONSOLE_URL=http://127.0.0.1:${fromFile}\n`);
    expect((await bin(['status', 'x'], { cwd })).err).toContain(`http://127.0.0.1:${fromFile}`);
    const env = { TICKMARK_CONSOLE_URL: `http://127.0.0.1:${given}` };
    expect((await bin(['status', 'x'], { cwd, env })).err).toContain(`http://127.0.0.1:${given}`);
  });
});

function bin(
  args: string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, ...args], { cwd, env: { PATH: process.env['PATH'], ...env } }, (_error, out, err) => {
      resolve({ code: child.exitCode, out, err });
    });
  });
}
