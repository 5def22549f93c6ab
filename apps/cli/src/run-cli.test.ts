import { describe, expect, it } from 'vitest';
import { run } from './fixtures/run.ts';

describe('tickmark', () => {
  it('lists one command per line', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    const lines = out.split('Commands:\n')[1]?.trimEnd().split('\n') ?? [];
    expect(lines.map((line) => line.trim().split(' ')[0])).toEqual([
      'status',
      'pause',
      'resume',
      'retry',
      'release',
      'resolve',
      'dead-letters',
      'suppressions',
      'restore',
      'erase',
      'migrate',
    ]);
  });

  it('tells its version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: '' });
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['nonsense']],
    ['an unknown option', ['migrate', '--nonsense']],
    ['a missing argument', ['status']],
    ['an argument too many', ['status', 'a', 'b']],
  ])('exits 2 for %s and points to the help, on stderr', async (_name, args) => {
    const { code, out, err } = await run(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/--help|Usage:/);
  });

  it.each([
    ['migrate', 'DATABASE_URL'],
    ['status x', 'TICKMARK_API_KEY'],
  ])('%s exits 2 and names the setting that is missing', async (line, key) => {
    const { code, out, err } = await run(line.split(' '));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(key);
  });

  it('says errors as one line of JSON with --json', async () => {
    const { err } = await run(['status', 'x', '--json']);
    expect(JSON.parse(err)).toEqual({ error: { code: 'CONFIGURATION', message: expect.stringContaining('TICKMARK_API_KEY') } });
  });
});
