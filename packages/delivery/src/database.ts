import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { ARRAY_TYPES } from './array-types.ts';
import { openLanes, type Lanes } from './database-lanes.ts';

/** Longest run of one statement; every batched statement ends far below it. */
const STATEMENT_TIMEOUT_MS = 8_000;

/** Longest wait for its answer: only a server that is gone without a word takes longer. */
const ANSWER_MS_MAX = STATEMENT_TIMEOUT_MS + 2_000;

/** Longest wait for one row: a batch behind a stuck one gives up and comes again. */
const LOCK_TIMEOUT_MS = 2_000;

/** A process that hangs between two statements must not keep its rows locked. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

const CONNECT_TIMEOUT_SECONDS = 5;
const IDLE_TIMEOUT_SECONDS = 60;
const KEEP_ALIVE_SECONDS = 15;
const RECONNECT_DELAY_SECONDS_MAX = 1;
const CLOSE_DEADLINE_MS = 5_000;

/** Drizzle serves single look-ups; the batches have the other client. */
const ORM_CONNECTIONS_MAX = 4;

export interface Database {
  /** For raw SQL, by way of {@link inStatement} and {@link inTransaction}. */
  sql: RawSql;
  /** Drizzle on a client of its own: `drizzle(client)` changes the serialisers of the client that it is given. */
  orm: PostgresJsDatabase;
  /** Ends every connection, at the latest after `deadlineMs` (default 5,000). Safe to repeat. */
  close(deadlineMs?: number): Promise<void>;
}

/** Used directly it is postgres.js with its pool, which does not survive every outage ({@link openLanes}): for tests and scripts. */
export interface RawSql extends postgres.Sql {
  readonly lanes: Lanes;
}

export interface DatabaseOptions {
  url: string;
  /** False behind a PgBouncer that pools transactions. */
  prepare: boolean;
  /** Connections for raw SQL, at least 2 (an advisory lock keeps one while its work uses another). */
  max: number;
  applicationName: string;
}

/**
 * The connections of one process. None is opened before the first statement; a lost one is opened again by the next statement.
 *
 * Statements end after 8 s and give up a row lock after 2 s; one whose answer has not come 10 s after it was asked is given up with its
 * connection. Sessions speak UTC.
 */
export function createDatabase({ url, prepare, max, applicationName }: DatabaseOptions): Database {
  const options = { prepare, applicationName };
  const rawOptions = connectionOptions({ ...options, max: Math.max(2, max), settings: BATCH_SETTINGS });
  const laneSettings = { connect: (lane: postgres.Options<{}>) => postgres(url, { ...rawOptions, ...lane }), answerMsMax: ANSWER_MS_MAX };
  const lanes = openLanes(laneSettings, rawOptions.max);
  const sql = Object.assign(postgres(url, rawOptions), { lanes });
  const ormClient = postgres(url, connectionOptions({ ...options, max: ORM_CONNECTIONS_MAX, settings: SESSION_SETTINGS }));
  return {
    sql,
    orm: drizzle(ormClient),
    close: async (deadlineMs = CLOSE_DEADLINE_MS) => {
      const timeout = deadlineMs / 1000;
      await Promise.all([lanes.close(deadlineMs), sql.end({ timeout }), ormClient.end({ timeout })]);
    },
  };
}

function connectionOptions({ prepare, applicationName, max, settings }: Omit<DatabaseOptions, 'url'> & { settings: object }) {
  return {
    prepare,
    max,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    idle_timeout: IDLE_TIMEOUT_SECONDS,
    keep_alive: KEEP_ALIVE_SECONDS,
    backoff: reconnectDelaySeconds,
    fetch_types: false,
    types: ARRAY_TYPES,
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      TimeZone: 'UTC',
      // PgBouncer refuses a connection that names a setting it does not track; there each transaction sets them for itself.
      ...(prepare ? settings : {}),
    },
  };
}

/** Statements wait for a connection that waits to be opened again: postgres.js would let them wait up to 20 s after an outage. */
function reconnectDelaySeconds(failures: number): number {
  return Math.min(0.05 * 2 ** failures, RECONNECT_DELAY_SECONDS_MAX) * (0.5 + Math.random() / 2);
}

const SESSION_SETTINGS = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
};

/**
 * For the batched statements, all of which find their rows through an index. Their plans are kept (planning anew costs a quarter of a
 * batch of 60), and one that was made while the tables were small would go on scanning them until the next ANALYZE.
 */
const BATCH_SETTINGS = { ...SESSION_SETTINGS, enable_seqscan: 'off' };

/** Runs statements in one transaction, with the time-outs of {@link createDatabase} also where the session could not be given them. */
export function inTransaction<R>(sql: RawSql, run: (tx: postgres.ISql) => Promise<R>): Promise<R> {
  return sql.lanes.use(async (tx, spoil) => {
    await tx`BEGIN`.simple();
    try {
      if (!sql.options.prepare) await setLocally(tx);
      const result = await run(tx);
      const { command } = await tx`COMMIT`.simple();
      // The server's answer to the COMMIT of a transaction in which a statement failed.
      if (command === 'ROLLBACK') throw new Error('the error of a statement was not passed on: its transaction was rolled back');
      return result;
    } catch (error) {
      await rollBack(tx).catch(spoil);
      throw error;
    }
  });
}

async function rollBack(tx: postgres.ISql): Promise<void> {
  await tx`ROLLBACK`.simple();
}

/** Runs one statement: alone where the session has our time-outs, in a transaction that sets them where it has not. */
export function inStatement<R>(sql: RawSql, run: (sql: postgres.ISql) => Promise<R>): Promise<R> {
  return sql.options.prepare ? sql.lanes.use(run) : inTransaction(sql, run);
}

async function setLocally(tx: postgres.ISql): Promise<void> {
  await tx`SELECT set_config(name, value, true) FROM unnest(${Object.keys(BATCH_SETTINGS)}::text[],
    ${Object.values(BATCH_SETTINGS).map(String)}::text[]) AS s (name, value)`;
}
