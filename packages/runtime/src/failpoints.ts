import type { Logger } from './logger.ts';

/** The lines between which a message could be lost or sent twice; each stands in the code where its name says. */
const FAILPOINT_NAMES = [
  'after-claim',
  'before-post',
  'after-post',
  'before-record',
  'after-record',
  'intake-after-insert',
  'status-after-log',
  'spool-before-delete',
  'archive-before-rename',
  'archive-before-manifest',
  'archive-before-delete',
  'archive-mid-delete',
  'archive-before-done',
] as const;

/** The longest that a timer can be set to; it only keeps the stopped process alive until it is killed. */
const FOR_EVER_MS = 2 ** 31 - 1;

export type FailpointName = (typeof FAILPOINT_NAMES)[number];

export interface Failpoints {
  /** Returns at once, unless this is the configured hit of this line: then it reports itself and never resolves. */
  reach(name: FailpointName): Promise<void>;
}

const PASSED = Promise.resolve();

/**
 * Lines at which a test can stop a process to kill it there.
 *
 * @param spec the value of FAILPOINTS: `name[:nth],…`; the nth time (default 1) that the line is reached, it logs a line, sends
 *   `{ failpoint: name }` to the parent if the process was forked, and stops for ever. Absent = every line is passed.
 * @throws Error that lists each wrong entry and the names there are
 */
export function createFailpoints(spec: string | undefined, log?: Pick<Logger, 'warn'>): Failpoints {
  const stops = parseFailpoints(spec ?? '');
  if (stops.size === 0) return { reach: () => PASSED };
  const hits = new Map<FailpointName, number>();
  return {
    reach: (name) => {
      const hit = (hits.get(name) ?? 0) + 1;
      hits.set(name, hit);
      return stops.get(name) === hit ? stopFor(name, log) : PASSED;
    },
  };
}

/** The hit at which each named line stops. Throws an Error that says what is wrong with the text. */
export function parseFailpoints(spec: string): ReadonlyMap<FailpointName, number> {
  const stops = new Map<FailpointName, number>();
  const wrong: string[] = [];
  for (const entry of spec.split(',').filter((text) => text.trim() !== '')) {
    const [, name = '', nth = '1'] = /^([^:]*)(?::([1-9]\d*))?$/.exec(entry.trim()) ?? [];
    if (isFailpointName(name)) stops.set(name, Number(nth));
    else wrong.push(`"${entry.trim()}"`);
  }
  if (wrong.length > 0)
    throw new Error(`${wrong.join(', ')} names no failpoint: write name[:nth] with one of ${FAILPOINT_NAMES.join(', ')}`);
  return stops;
}

function isFailpointName(name: string): name is FailpointName {
  return (FAILPOINT_NAMES as readonly string[]).includes(name);
}

function stopFor(name: FailpointName, log: Pick<Logger, 'warn'> | undefined): Promise<void> {
  log?.warn({ failpoint: name }, 'stopped at a failpoint');
  if (process.connected) process.send?.({ failpoint: name });
  setInterval(() => undefined, FOR_EVER_MS);
  return new Promise(() => undefined);
}
