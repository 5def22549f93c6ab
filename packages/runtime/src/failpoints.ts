import type { Logger } from './logger.ts';

const FAILPOINT_NAMES = [
  'after-claim',
  'before-post',
  'after-post',
  'before-record',
  'after-record',
  'intake-after-insert',
  'status-after-log',
  'spool-before-delete',
] as const;

export type FailpointName = (typeof FAILPOINT_NAMES)[number];

export interface Failpoints {
  /** Resolves at once unless this is the configured hit of this line: then it reports itself and never resolves. */
  reach(name: FailpointName): Promise<void>;
}

export function createFailpoints(_spec: string | undefined, _log?: Logger): Failpoints {
  throw new Error('not built yet');
}
