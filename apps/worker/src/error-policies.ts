import { listErrorPolicies, type Database } from '@tickmark/delivery';
import type { PolicyAction } from '@tickmark/domain';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

const REFRESH_MS = 10_000;

export interface ErrorPolicies {
  /** What an operator said about an error code, as of the last time that the table could be read. */
  actionFor(code: number): PolicyAction | undefined;
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** The table `error_policies` in memory, read again every 10 s: no decision about a message waits for it. */
export function createErrorPolicies(
  { db, breaker }: { db: Pick<Database, 'sql'>; breaker: Pick<DatabaseBreaker, 'report'> },
  { refreshMs = REFRESH_MS }: { refreshMs?: number } = {},
): ErrorPolicies {
  let actions: ReadonlyMap<number, PolicyAction> = new Map();
  const stop = new AbortController();

  const refresh = async () => {
    actions = new Map((await listErrorPolicies(db)).map(({ code, action }) => [code, action]));
  };

  const refreshing = (async () => {
    while (await waited(refreshMs, stop.signal)) {
      await refresh().catch((error: unknown) => breaker.report(error, 'error policies could not be read: the known ones go on'));
    }
  })();

  return {
    actionFor: (code) => actions.get(code),
    refresh,
    close: async () => {
      stop.abort();
      await refreshing;
    },
  };
}
