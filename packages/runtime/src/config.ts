import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CONFIG_KEYS, type ConfigProcess, type KeyDefinition } from './config-keys.ts';
import { PLACEHOLDER, TWILIO_MODES, type TwilioMode } from './config-rules.ts';
import { createFileValue } from './file-value.ts';
import { Secret } from './secret.ts';

type Keys = typeof CONFIG_KEYS;
export type ConfigKey = keyof Keys;
type Parsers = { readonly [K in ConfigKey]?: ((text: string) => unknown) | undefined };
type NoParsers = { readonly [K in ConfigKey]?: undefined };

type Present<K extends ConfigKey, V> = Keys[K] extends { required: true } | { default: string } ? V : V | undefined;
type Value<K extends ConfigKey, P extends Parsers> = P[K] extends (text: string) => infer V
  ? V
  : Keys[K] extends { secret: true }
    ? Secret
    : z.output<Keys[K]['type']>;

/**
 * The values of the keys that a process asked for, by name. One that came from a file (`X_FILE`) is read again within 5 s of a
 * change: read the property, or call `reveal()`, at each use instead of keeping a copy.
 */
export type Config<K extends ConfigKey = ConfigKey, P extends Parsers = NoParsers> = {
  readonly [Key in K]: Present<Key, Value<Key, P>>;
} & {
  /** True when the environment gave this key a value, false when it has its default or none. */
  wasGiven(key: K): boolean;
};

/** Everything that is wrong with the environment, at once: each problem names its key and says what to do. Holds no values. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(`the configuration has ${count}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type KeysUsedBy<P extends ConfigProcess> = { [K in ConfigKey]: P extends Keys[K]['usedBy'][number] ? K : never }[ConfigKey];

/** The keys that a process uses, from the one table that the documentation is made of too. */
export function keysUsedBy<P extends ConfigProcess>(process: P): readonly KeysUsedBy<P>[] {
  const keys = Object.keys(CONFIG_KEYS) as ConfigKey[];
  return keys.filter((key) => definitionOf(key).usedBy.includes(process)) as KeysUsedBy<P>[];
}

/**
 * Reads the given keys from the environment and checks them; all others are ignored, whatever they hold. Surrounding spaces are
 * dropped, and an empty value counts as absent. `X_FILE` names a file that holds the value of `X`.
 *
 * The rules of sandbox and live mode follow TWILIO_MODE, also when that is not among the keys; where it is absent, those of
 * simulator mode hold, which never lets a process reach Twilio.
 *
 * @param options.env default process.env
 * @param options.parse readers of a key's text for types that are declared elsewhere; what they throw becomes a problem of the key,
 *   and what they return its value
 * @throws ConfigError with every problem at once
 */
export function loadConfig<const K extends ConfigKey, const P extends Parsers = NoParsers>(
  keys: readonly K[],
  options: { env?: NodeJS.ProcessEnv; parse?: P } = {},
): Config<K, P> {
  const { env = process.env, parse = {} as P } = options;
  const problems: string[] = [];
  const given = new Set<string>();
  const mode = readMode(env);
  const config: Record<string, unknown> = { wasGiven: (key: K) => given.has(key) };
  for (const key of keys) {
    try {
      const source = readSource(env, key);
      if (source !== undefined) given.add(key);
      const isSecret = definitionOf(key).secret === true && parse[key] === undefined;
      define(config, key, source ?? defaultSource(env, key, mode), checkerOf(key, mode, parse[key]), isSecret);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problems.push(`${key} ${error.message}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config) as Config<K, P>;
}

/** What is wrong with one key; goes on after its name. */
class Problem extends Error {}

type Source = { text: string } | { path: string };

function definitionOf(key: ConfigKey): KeyDefinition {
  return CONFIG_KEYS[key];
}

function readText(env: NodeJS.ProcessEnv, key: string): string | undefined {
  const text = env[key]?.trim();
  return text === '' ? undefined : text;
}

function readSource(env: NodeJS.ProcessEnv, key: ConfigKey): Source | undefined {
  const text = readText(env, key);
  const path = readText(env, `${key}_FILE`);
  if (text !== undefined && path !== undefined) throw new Problem(`is given twice: remove ${key} or ${key}_FILE`);
  if (path !== undefined) return { path };
  if (text !== undefined && definitionOf(key).namesFile === true) return { path: text };
  return text === undefined ? undefined : { text };
}

function defaultSource(env: NodeJS.ProcessEnv, key: ConfigKey, mode: TwilioMode): Source | undefined {
  const { default: always, defaultIn, required, help } = definitionOf(key);
  if (required === true) throw new Problem(`is missing: set it, or ${key}_FILE to a file that holds it. ${help}`);
  const text = always ?? defaultIn?.[mode]?.text((other) => readText(env, other));
  return text === undefined ? undefined : { text };
}

/** The mode whose rules hold. One that cannot be read is a problem of its own where it is asked for; here it is the most harmless. */
function readMode(env: NodeJS.ProcessEnv): TwilioMode {
  try {
    const path = readText(env, 'TWILIO_MODE_FILE');
    const text = path === undefined ? readText(env, 'TWILIO_MODE') : readFileSync(path, 'utf8').trim();
    return TWILIO_MODES.find((mode) => mode === text) ?? 'simulator';
  } catch {
    // A file that cannot be read: said where TWILIO_MODE is asked for.
    return 'simulator';
  }
}

/** Makes the value of a key's text, or throws a Problem. */
function checkerOf(key: ConfigKey, mode: TwilioMode, parse: ((text: string) => unknown) | undefined): (text: string) => unknown {
  const { type, rules = [], example, exampleIsPublic } = definitionOf(key);
  return (text) => {
    if (text === '') throw new Problem('is empty: put its value there');
    if (text.includes(PLACEHOLDER)) throw new Problem(`still holds ${PLACEHOLDER}: put the real value there`);
    const parsed = type.safeParse(text);
    if (!parsed.success) throw new Problem(parsed.error.issues.map(({ message }) => message).join('; '));
    for (const rule of rules) {
      if (rule.in.includes(mode) && !rule.holds(text)) throw new Problem(`must ${rule.must} (TWILIO_MODE is ${mode})`);
    }
    if (mode !== 'simulator' && exampleIsPublic === true && text === example) {
      throw new Problem(`is the one of .env.example, which everybody knows: put your own there (TWILIO_MODE is ${mode})`);
    }
    return parse === undefined ? parsed.data : parseOrProblem(parse, text);
  };
}

function parseOrProblem(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new Problem(`is not well-formed: ${(error as Error).message}`, { cause: error });
  }
}

function define(
  config: Record<string, unknown>,
  key: ConfigKey,
  source: Source | undefined,
  check: (text: string) => unknown,
  isSecret: boolean,
): void {
  if (source === undefined) {
    config[key] = undefined;
  } else if ('text' in source) {
    const value = check(source.text);
    config[key] = isSecret ? new Secret(value as string) : value;
  } else {
    const get = readFileOrProblem(source.path, check);
    if (isSecret) config[key] = new Secret(get as () => string);
    else Object.defineProperty(config, key, { enumerable: true, get });
  }
}

function readFileOrProblem(path: string, check: (text: string) => unknown): () => unknown {
  try {
    return createFileValue(path, check);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException;
    throw new Problem(`cannot be read from the file ${path} (${code}): check the path and its permissions`, { cause: error });
  }
}
