import type { z } from 'zod';
import { CONFIG_KEYS, type ConfigProcess } from './config-keys.ts';
import type { Secret } from './secret.ts';

type Keys = typeof CONFIG_KEYS;
export type ConfigKey = keyof Keys;

/** Readers of a key's raw text that the caller brings along; what they throw becomes a problem of that key. */
export type Parsers = { readonly [K in ConfigKey]?: (text: string) => unknown };

type Present<K extends ConfigKey, V> = Keys[K] extends { required: true } | { default: string } ? V : V | undefined;
type Value<K extends ConfigKey, P extends Parsers> = P[K] extends (text: string) => infer V
  ? V
  : Keys[K] extends { secret: true }
    ? Secret
    : z.output<Keys[K]['type']>;

/**
 * The values of the keys that a process asked for, by name. A value that came from a file (`X_FILE`) is read again within 5 s of
 * a change: read the property (or `reveal()`) at each use instead of keeping a copy.
 */
export type Config<K extends ConfigKey = ConfigKey, P extends Parsers = Record<never, never>> = {
  readonly [Key in K]: Present<Key, Value<Key, P>>;
} & {
  /** True when the environment gave this key a value, false when it has its default or none. */
  wasGiven(key: K): boolean;
};

/** Everything that is wrong with the environment, at once; each problem names its key and says what to do. Holds no values. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type KeysUsedBy<P extends ConfigProcess> = { [K in ConfigKey]: P extends Keys[K]['usedBy'][number] ? K : never }[ConfigKey];

/** The keys that a process uses, from the one table that the documentation is made of too. */
export function keysUsedBy<P extends ConfigProcess>(process: P): readonly KeysUsedBy<P>[] {
  return (Object.keys(CONFIG_KEYS) as ConfigKey[]).filter((key) =>
    (CONFIG_KEYS[key].usedBy as readonly string[]).includes(process),
  ) as KeysUsedBy<P>[];
}

export function loadConfig<const K extends ConfigKey, const P extends Parsers = Record<never, never>>(
  _keys: readonly K[],
  _options: { env?: NodeJS.ProcessEnv; parse?: P } = {},
): Config<K, P> {
  throw new Error('not built yet');
}
