import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CONFIG_KEYS, type ConfigProcess, type KeyDefinition } from './config-keys.ts';
import { ConfigError, keysUsedBy, loadConfig, type ConfigKey } from './config.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const HEX = '0123456789abcdef0123456789abcdef';

/** All that the environment of the outside contract names, and nothing else. */
const AGREED = `DATABASE_URL REDIS_URL PUBLIC_BASE_URL TWILIO_MODE DATABASE_PREPARE LOG_LEVEL
  TWILIO_ACCOUNT_SID TWILIO_API_KEY_SID TWILIO_API_KEY_SECRET TWILIO_AUTH_TOKEN TWILIO_AUTH_TOKEN_NEXT TWILIO_BASE_URL TWILIO_REGION TWILIO_EDGE
  TWILIO_SENDERS STATUS_CALLBACKS STATUS_CALLBACK_OVERRIDES RECONCILE_CONCURRENCY RECONCILE_REQUESTS_PER_SECOND
  INGRESS_PORT CONSOLE_PORT SIMULATOR_PORT METRICS_PORT LISTEN_HOST TRUST_PROXY
  API_KEYS RATE_LIMIT_PER_KEY WORKER_CONCURRENCY WINDOW_GUARD ALLOWED_RECIPIENTS STOP_WORDS_FILE RETENTION_BODY_DAYS RETENTION_DAYS
  RETENTION_REDACT_AT_TWILIO SPOOL_DIR SPOOL_BYTES_MAX ARCHIVE_DIR SESSION_SECRET ENCRYPTION_KEYS QUEUE_LOCK_MS QUEUE_STALLED_MS QUEUE_PREFIX FAILPOINTS
  SIMULATOR_SETTINGS TICKMARK_URL TICKMARK_CONSOLE_URL TICKMARK_API_KEY`;

const definitions: [ConfigKey, KeyDefinition][] = Object.entries(CONFIG_KEYS) as [ConfigKey, KeyDefinition][];

function readEnvFile(name: string): Promise<Record<string, string>> {
  return readFile(`${REPOSITORY}${name}`, 'utf8').then((text) => parseEnv(text) as Record<string, string>);
}

function problemsOf(env: Record<string, string>, keys: readonly ConfigKey[]): readonly string[] {
  try {
    loadConfig(keys, { env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('the table', () => {
  test('has exactly the agreed keys', () => {
    expect(definitions.map(([key]) => key).toSorted()).toEqual(AGREED.split(/\s+/).toSorted());
  });

  test('holds defaults and examples that pass their own checks', () => {
    const texts = definitions.flatMap(([key, { default: text, example }]) => [text, example].map((value) => [key, value] as const));
    expect(texts.flatMap(([key, text]) => (text === undefined ? [] : problemsOf({ [key]: text }, [key])))).toEqual([]);
  });

  test('says what each key is for, in one line with an end', () => {
    expect(definitions.filter(([, { help }]) => !/^[^\n]{15,200}\.$/.test(help))).toEqual([]);
  });

  test('hides every key that holds a password, a token or a key', () => {
    const hidden = definitions.filter(([, { secret }]) => secret === true).map(([key]) => key);
    const expected = definitions.map(([key]) => key).filter((key) => /SECRET|TOKEN|_URL$|API_KEYS|API_KEY$|ENCRYPTION/.test(key));
    expect(hidden).toEqual(
      expected.filter((key) => !['PUBLIC_BASE_URL', 'TWILIO_BASE_URL', 'TICKMARK_URL', 'TICKMARK_CONSOLE_URL'].includes(key)),
    );
  });

  test('gives the ingress no database and no way to create messages, and the worker no way to verify callbacks', () => {
    expect(keysUsedBy('ingress').filter((key) => /DATABASE|TWILIO_API_KEY/.test(key))).toEqual([]);
    expect((keysUsedBy('worker') as ConfigKey[]).filter((key) => /AUTH_TOKEN|^API_KEYS|TICKMARK/.test(key))).toEqual([]);
  });
});

const PROCESSES: ConfigProcess[] = ['ingress', 'worker', 'console', 'simulator', 'migrate', 'cli'];

describe('.env.example', () => {
  test.each(PROCESSES)('is enough for %s as it is', async (process) => {
    expect(problemsOf(await readEnvFile('.env.example'), keysUsedBy(process))).toEqual([]);
  });
});

describe('.env.production.example', () => {
  const real: Record<string, string> = {
    DATABASE_URL: 'postgres://tickmark:p%40ss@db.internal:5432/tickmark?sslmode=verify-full',
    REDIS_URL: 'rediss://tickmark:pass@cache.internal:6379',
    PUBLIC_BASE_URL: 'https://messages.example.com',
    TWILIO_ACCOUNT_SID: `AC${HEX}`,
    TWILIO_API_KEY_SID: `SK${HEX}`,
    TWILIO_API_KEY_SECRET: HEX,
    TWILIO_AUTH_TOKEN: HEX,
    TWILIO_SENDERS: `support@whatsapp:+15550001111=80,campaigns@MG${HEX}=400`,
    API_KEYS: `shop:${HEX}${HEX}:send+read`,
  };

  test.each(PROCESSES)('loads in live mode for %s once the marked values are filled in', async (process) => {
    const example = await readEnvFile('.env.production.example');
    const marked = Object.keys(example).filter((key) => example[key]?.includes('FILL_IN'));
    expect(marked.toSorted()).toEqual(Object.keys(real).toSorted());
    const filled = { ...example, ...real };
    expect(filled['TWILIO_MODE']).toBe('live');
    expect(problemsOf(filled, keysUsedBy(process))).toEqual([]);
  });

  test('is refused as long as a marked value is left', async () => {
    const example = await readEnvFile('.env.production.example');
    for (const key of Object.keys(real) as ConfigKey[]) {
      expect(problemsOf({ ...example, ...real, [key]: example[key] ?? '' }, [key])).toEqual([
        expect.stringContaining(`${key} still holds FILL_IN`),
      ]);
    }
  });

  test('names every key and warns at every secret', async () => {
    const text = await readFile(`${REPOSITORY}.env.production.example`, 'utf8');
    expect(text.split('\n').length).toBeGreaterThan(170);
    const paragraphOf = (key: string) => text.split('\n\n').find((lines) => new RegExp(`^(# )?${key}=`, 'm').test(lines)) ?? '';
    expect(definitions.filter(([key]) => paragraphOf(key) === '')).toEqual([]);
    const warned = definitions.filter(([key]) => paragraphOf(key).includes('# WARNING: a secret.')).map(([key]) => key);
    expect(warned).toEqual(definitions.filter(([, { secret }]) => secret === true).map(([key]) => key));
  });
});

test('the generated files are current', async () => {
  const script = ['--conditions=@tickmark/source', '--import', 'tsx', 'scripts/generate-config-docs.ts', '--check'];
  expect(await promisify(execFile)(process.execPath, script, { cwd: REPOSITORY })).toEqual({ stdout: '', stderr: '' });
});
