import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CONFIG_KEYS, type KeyDefinition } from './config-keys.ts';
import { ConfigError, keysUsedBy, loadConfig, type ConfigKey } from './config.ts';
import { Secret } from './secret.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickmark-config-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  vi.useRealTimers();
});

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const HEX = '0123456789abcdef0123456789abcdef';
const LIVE = {
  TWILIO_MODE: 'live',
  PUBLIC_BASE_URL: 'https://messages.example.com',
  TWILIO_ACCOUNT_SID: `AC${HEX}`,
  TWILIO_API_KEY_SID: `SK${HEX}`,
  TWILIO_API_KEY_SECRET: HEX,
  TWILIO_AUTH_TOKEN: HEX,
  TWILIO_SENDERS: 'support@whatsapp:+15550001111=80',
  API_KEYS: `shop:${HEX}${HEX}`,
  DATABASE_URL: 'postgres://u:p@db/tickmark',
  REDIS_URL: 'rediss://u:p@cache:6379',
};

describe('values', () => {
  test('are typed, with defaults for what is absent', () => {
    const config = loadConfig(['INGRESS_PORT', 'DATABASE_PREPARE', 'TRUST_PROXY', 'METRICS_PORT', 'QUEUE_PREFIX', 'WORKER_CONCURRENCY'], {
      env: { INGRESS_PORT: '0', TRUST_PROXY: ' 2 ', METRICS_PORT: '', WORKER_CONCURRENCY: '  ' },
    });
    expect(config).toMatchObject({
      INGRESS_PORT: 0,
      DATABASE_PREPARE: true,
      TRUST_PROXY: 2,
      METRICS_PORT: undefined,
      QUEUE_PREFIX: 'tickmark',
      WORKER_CONCURRENCY: 50,
    });
  });

  test('tell whether they were given', () => {
    const config = loadConfig(['INGRESS_PORT', 'CONSOLE_PORT', 'METRICS_PORT'], { env: { INGRESS_PORT: '3000', METRICS_PORT: '' } });
    expect([config.wasGiven('INGRESS_PORT'), config.wasGiven('CONSOLE_PORT'), config.wasGiven('METRICS_PORT')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('are what the caller makes of them, where it brings a parser', () => {
    const config = loadConfig(['API_KEYS', 'SIMULATOR_SETTINGS'], {
      env: { API_KEYS: 'a,b' },
      parse: { API_KEYS: (text: string) => text.split(','), SIMULATOR_SETTINGS: (text: string) => JSON.parse(text) as unknown },
    });
    expect(config.API_KEYS).toEqual(['a', 'b']);
    expect(config.SIMULATOR_SETTINGS).toBeUndefined();
  });

  test('of keys that nobody asked for are ignored, whatever they hold', () => {
    expect(
      problemsOf(() => loadConfig(['CONSOLE_PORT'], { env: { INGRESS_PORT: 'x', DATABASE_URL: 'x', API_KEYS_FILE: '/nowhere' } })),
    ).toEqual([]);
  });

  test('that are secret print as [redacted]', () => {
    const config = loadConfig(['DATABASE_URL', 'REDIS_URL', 'TWILIO_AUTH_TOKEN'], {
      env: { DATABASE_URL: 'postgres://u:private@h/d', REDIS_URL: 'redis://:private@h', TWILIO_AUTH_TOKEN: 'private' },
    });
    expect(config.DATABASE_URL).toBeInstanceOf(Secret);
    expect(config.DATABASE_URL.reveal()).toBe('postgres://u:private@h/d');
    expect(inspect(config) + JSON.stringify(config) + String(config.REDIS_URL)).not.toContain('private');
  });
});

describe('problems', () => {
  test('are told all at once, each with its key and what to do', () => {
    const env = { INGRESS_PORT: '70000', TWILIO_MODE: 'prod', WORKER_CONCURRENCY: '0', PUBLIC_BASE_URL: 'FILL_IN', API_KEYS: 'x' };
    const parse = {
      API_KEYS: () => {
        throw new Error('entry 1: no hash. Write name:sha256hex');
      },
    };
    const load = () =>
      loadConfig(['TWILIO_MODE', 'INGRESS_PORT', 'WORKER_CONCURRENCY', 'REDIS_URL', 'PUBLIC_BASE_URL', 'API_KEYS'], { env, parse });
    expect(problemsOf(load)).toEqual([
      'TWILIO_MODE must be one of simulator, sandbox, live',
      'INGRESS_PORT must be a whole number from 0 to 65535',
      'WORKER_CONCURRENCY must be a whole number from 1 to 10000',
      expect.stringMatching(/^REDIS_URL is missing: set it, or REDIS_URL_FILE to a file that holds it\. Redis 7\.0/),
      'PUBLIC_BASE_URL still holds FILL_IN: put the real value there',
      'API_KEYS is not well-formed: entry 1: no hash. Write name:sha256hex',
    ]);
    expect(load).toThrow(/^the configuration has 6 problems:\n {2}- TWILIO_MODE must/);
  });

  test('never repeat a value', () => {
    // The path of a file is told: without it nobody could find the file.
    const keys = (Object.keys(CONFIG_KEYS) as ConfigKey[]).filter((key) => key !== 'STOP_WORDS_FILE');
    const env = Object.fromEntries(keys.map((key) => [key, key === 'TWILIO_MODE' ? 'live' : `pri\tvate:${key}=,`]));
    const problems = problemsOf(() => loadConfig(keys, { env })).filter((problem) => !problem.startsWith('FAILPOINTS '));
    expect(problems.length).toBeGreaterThan(30);
    expect(problems.join('\n')).not.toContain('vate:');
  });

  test('an empty required value is a missing one', () => {
    expect(problemsOf(() => loadConfig(['TWILIO_MODE'], { env: { TWILIO_MODE: ' ' } }))).toEqual([
      expect.stringContaining('TWILIO_MODE is missing'),
    ]);
  });
});

describe('a value from a file', () => {
  test('is read for every key, without its line end, and counts as given', async () => {
    const config = loadConfig(['REDIS_URL', 'INGRESS_PORT', 'TWILIO_MODE'], {
      env: {
        REDIS_URL_FILE: await file('redis', 'redis://:private@h:6379\n'),
        INGRESS_PORT_FILE: await file('port', ' 4000\r\n'),
        TWILIO_MODE_FILE: await file('mode', 'simulator\n'),
      },
    });
    expect([config.REDIS_URL.reveal(), config.INGRESS_PORT, config.TWILIO_MODE]).toEqual(['redis://:private@h:6379', 4000, 'simulator']);
    expect(config.wasGiven('INGRESS_PORT')).toBe(true);
  });

  test('is read again within 5 seconds of a change, secret or parsed, and stays when the new content is wrong', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const env = { ...LIVE, TWILIO_AUTH_TOKEN: '', API_KEYS: '' };
    const TWILIO_AUTH_TOKEN_FILE = await file('token', HEX);
    const API_KEYS_FILE = await file('keys', 'a,b');
    const config = loadConfig(['TWILIO_MODE', 'TWILIO_AUTH_TOKEN', 'API_KEYS'], {
      env: { ...env, TWILIO_AUTH_TOKEN_FILE, API_KEYS_FILE },
      parse: { API_KEYS: (text: string) => text.split(',') },
    });
    await file('token', 'f'.repeat(32));
    await file('keys', 'a,b,c');
    vi.advanceTimersByTime(5_000);
    expect(config.TWILIO_AUTH_TOKEN.reveal()).toBe('f'.repeat(32));
    expect(config.API_KEYS).toEqual(['a', 'b', 'c']);
    await file('token', 'half a tok');
    vi.advanceTimersByTime(5_000);
    expect(config.TWILIO_AUTH_TOKEN.reveal()).toBe('f'.repeat(32));
  });

  test('may be a key of its own, whose parser is given the text of the file', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const parse = {
      STOP_WORDS_FILE: (text: string) => {
        if (text.includes('!')) throw new Error('a word with !');
        return text.split('\n');
      },
    };
    const load = (path?: string) => loadConfig(['STOP_WORDS_FILE'], { env: { STOP_WORDS_FILE: path }, parse });
    const path = await file('words', 'basta\nalto\n');
    const config = load(path);
    expect(config.STOP_WORDS_FILE).toEqual(['basta', 'alto']);
    await file('words', 'alto!');
    vi.advanceTimersByTime(5_000);
    expect(config.STOP_WORDS_FILE).toEqual(['basta', 'alto']);
    expect(problemsOf(() => load(path))).toEqual(['STOP_WORDS_FILE is not well-formed: a word with !']);
    await file('words', 'basta');
    vi.advanceTimersByTime(5_000);
    expect(config.STOP_WORDS_FILE).toEqual(['basta']);
    expect(problemsOf(() => load('/nowhere'))).toEqual([expect.stringContaining('cannot be read from the file /nowhere')]);
    expect(load().STOP_WORDS_FILE).toBeUndefined();
  });

  test('is a problem when the variable is given too, when it cannot be read, and when it is empty', async () => {
    const env = {
      REDIS_URL: 'redis://h',
      REDIS_URL_FILE: '/nowhere',
      DATABASE_URL_FILE: '/nowhere/database',
      TWILIO_AUTH_TOKEN_FILE: await file('empty', '\n'),
      INGRESS_PORT_FILE: await file('wrong', 'http'),
    };
    expect(problemsOf(() => loadConfig(['REDIS_URL', 'DATABASE_URL', 'TWILIO_AUTH_TOKEN', 'INGRESS_PORT'], { env }))).toEqual([
      'REDIS_URL is given twice: remove REDIS_URL or REDIS_URL_FILE',
      'DATABASE_URL cannot be read from the file /nowhere/database (ENOENT): check the path and its permissions',
      'TWILIO_AUTH_TOKEN is empty: put its value there',
      'INGRESS_PORT must be a whole number from 0 to 65535',
    ]);
  });
});

describe('the modes', () => {
  const keys = [...keysUsedBy('ingress'), ...keysUsedBy('worker'), ...keysUsedBy('console'), ...keysUsedBy('migrate')];

  test('live takes real values', () => {
    expect(problemsOf(() => loadConfig(keys, { env: LIVE }))).toEqual([]);
  });

  test('simulator takes any non-empty text as a secret and any pace above 0', () => {
    const env = { ...LIVE, TWILIO_MODE: 'simulator', PUBLIC_BASE_URL: 'http://localhost:3000', FAILPOINTS: 'after-post' };
    const anything = { TWILIO_ACCOUNT_SID: 'x', TWILIO_API_KEY_SID: 'x', TWILIO_API_KEY_SECRET: 'x', TWILIO_AUTH_TOKEN: 'x' };
    const senders = { TWILIO_SENDERS: 'whatsapp:+14155238886=5000', ALLOWED_RECIPIENTS: '+15550001111' };
    expect(problemsOf(() => loadConfig(keys, { env: { ...env, ...anything, ...senders } }))).toEqual([]);
  });

  test.each(['sandbox', 'live'])('%s refuses values that cannot be real, and what only tests want', (mode) => {
    const env = {
      ...LIVE,
      TWILIO_MODE: mode,
      PUBLIC_BASE_URL: 'http://127.0.0.1:3000',
      TWILIO_ACCOUNT_SID: 'AC1',
      TWILIO_API_KEY_SID: `AC${HEX}`,
      TWILIO_API_KEY_SECRET: 'secret',
      TWILIO_AUTH_TOKEN: 'token',
      TWILIO_AUTH_TOKEN_NEXT: 'token',
      TWILIO_BASE_URL: 'http://127.0.0.1:4010',
      TWILIO_SENDERS: 'whatsapp:+14155238886=80',
      FAILPOINTS: 'after-post',
    };
    expect(problemsOf(() => loadConfig([...new Set(keys)], { env })).map((problem) => problem.split(' ')[0])).toEqual([
      'PUBLIC_BASE_URL',
      'TWILIO_ACCOUNT_SID',
      'TWILIO_AUTH_TOKEN',
      'TWILIO_AUTH_TOKEN_NEXT',
      'TWILIO_SENDERS',
      'FAILPOINTS',
      'TWILIO_API_KEY_SID',
      'TWILIO_API_KEY_SECRET',
      'TWILIO_BASE_URL',
    ]);
  });

  test.each(['sandbox', 'live'])('%s refuses the keys and credentials of .env.example, which everybody knows', (mode) => {
    const definitions: [string, KeyDefinition][] = Object.entries(CONFIG_KEYS);
    const known = definitions.filter(([, { exampleIsPublic }]) => exampleIsPublic === true);
    const env = { ...LIVE, TWILIO_MODE: mode, ...Object.fromEntries(known.map(([key, { example }]) => [key, example])) };
    const problems = problemsOf(() => loadConfig([...new Set(keys)], { env }));
    expect(problems.map((problem) => problem.split(' ')[0]).toSorted()).toEqual(known.map(([key]) => key).toSorted());
  });

  test('live refuses to limit recipients', () => {
    expect(
      problemsOf(() => loadConfig(['TWILIO_MODE', 'ALLOWED_RECIPIENTS'], { env: { ...LIVE, ALLOWED_RECIPIENTS: '+15550001111' } })),
    ).toEqual([
      'ALLOWED_RECIPIENTS must not be given: it limits who receives messages, which only tests want. Remove it (TWILIO_MODE is live)',
    ]);
  });

  test('hold for a process that did not ask for the mode itself', async () => {
    const load = (env: Record<string, string>) =>
      problemsOf(() => loadConfig(['TWILIO_AUTH_TOKEN'], { env: { TWILIO_AUTH_TOKEN: 'x', ...env } }));
    expect(load({ TWILIO_MODE: 'live' })).toHaveLength(1);
    expect(load({ TWILIO_MODE_FILE: await file('live', 'live') })).toHaveLength(1);
    expect(load({ TWILIO_MODE: 'simulator' })).toEqual([]);
    expect(load({})).toEqual([]);
  });

  test('do not follow NODE_ENV', () => {
    const env = { ...LIVE, NODE_ENV: 'development', TWILIO_AUTH_TOKEN: 'x' };
    expect(problemsOf(() => loadConfig(['TWILIO_MODE', 'TWILIO_AUTH_TOKEN'], { env }))).toHaveLength(1);
  });
});

describe('in simulator mode, Twilio is never called', () => {
  test.each([{}, { TWILIO_BASE_URL: '' }, { NODE_ENV: 'production' }])('without TWILIO_BASE_URL the simulator is (%j)', (more) => {
    const env = { TWILIO_MODE: 'simulator', ...more };
    expect(loadConfig(['TWILIO_MODE', 'TWILIO_BASE_URL'], { env }).TWILIO_BASE_URL).toBe('http://127.0.0.1:4010');
    expect(loadConfig(['TWILIO_BASE_URL'], { env: { ...env, SIMULATOR_PORT: '4444' } }).TWILIO_BASE_URL).toBe('http://127.0.0.1:4444');
  });

  test.each(['https://api.twilio.com', 'https://API.Twilio.Com.', 'http://twilio.com:8080/x'])(
    '%s is refused, also where no mode is given',
    (TWILIO_BASE_URL) => {
      const refusal =
        'TWILIO_BASE_URL must not be a host of Twilio: a process in simulator mode never calls it. Leave it out, or set TWILIO_MODE';
      for (const env of [{ TWILIO_BASE_URL }, { TWILIO_BASE_URL, TWILIO_MODE: 'simulator' }]) {
        expect(problemsOf(() => loadConfig(['TWILIO_BASE_URL'], { env }))).toEqual([`${refusal} (TWILIO_MODE is simulator)`]);
      }
    },
  );

  test('any other host may stand in for it', () => {
    const env = { TWILIO_MODE: 'simulator', TWILIO_BASE_URL: 'http://mock.test:9999/' };
    expect(loadConfig(['TWILIO_BASE_URL'], { env }).TWILIO_BASE_URL).toBe('http://mock.test:9999');
  });

  test('outside of it there is no default: the client calls Twilio itself', () => {
    expect(loadConfig(['TWILIO_MODE', 'TWILIO_BASE_URL'], { env: LIVE }).TWILIO_BASE_URL).toBeUndefined();
  });
});
