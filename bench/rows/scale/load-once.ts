import { createDatabase, foldDeliveryMetrics, migrateDatabase, rebuildDeliveryMetrics, type Database } from '@tickmark/delivery';
import postgres from 'postgres';
import type { BenchServices } from '../../harness/services.ts';
import { fillTables } from './fill-tables.ts';
import type { Generated } from './generated-rows.ts';

const SEED = 20_260_801;
/** How many days the messages lie in, by how many there are: a year of an installation that has millions. */
const DAYS = [
  { fewerThan: 100_000, days: 3 },
  { fewerThan: 2_000_000, days: 31 },
  { fewerThan: Infinity, days: 365 },
];
/** Where a database says what it was filled with. */
const MARK = 'bench_generated';
const HOUR_MS = 3_600_000;

export interface LoadedDatabase {
  url: string;
  generated: Generated;
}

/**
 * The database with so many generated messages: the one of an earlier run, migrated to this release, when the servers' data are kept and it is
 * there; else a new one. One that was not filled to its end is made again.
 */
export async function loadOnce(services: BenchServices, messages: number, say: (text: string) => void): Promise<LoadedDatabase> {
  const name = `scale_${messages}`;
  const before = await services.openKept(name);
  if (before !== null) {
    const startedMs = performance.now();
    const generated = await readMark(before);
    if (generated !== null) {
      const { applied } = await migrateDatabase({ url: before });
      say(`${name} is there; ${applied} migrations applied in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
      await withDatabase(before, (db) => foldDeliveryMetrics(db));
      return { url: before, generated };
    }
    await services.dropKept(name);
  }
  const url = await services.makeKept(name);
  await migrateDatabase({ url });
  const until = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS);
  const generated = { messages, days: DAYS.find(({ fewerThan }) => messages < fewerThan)?.days ?? 365, until, seed: SEED };
  const filled = await services.withRoomForLoading(() => fillTables(url, generated, say));
  say(`${filled.messages} messages and ${filled.logs} log rows loaded in ${filled.seconds.toFixed(0)} s`);
  await countAnew(url, say);
  await writeMark(url, generated);
  return { url, generated };
}

/** The rows came without the triggers that count them. */
async function countAnew(url: string, say: (text: string) => void): Promise<void> {
  const startedMs = performance.now();
  await withDatabase(url, async (db) => {
    const { hours } = await rebuildDeliveryMetrics(db);
    await db.sql`VACUUM (ANALYZE) message_delivery_metrics, phone_delivery_performance`;
    say(`${hours} hours of metrics counted in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  });
}

async function withDatabase(url: string, work: (db: Database) => Promise<unknown>): Promise<void> {
  const db = createDatabase({ url, prepare: true, max: 2, applicationName: 'tickmark-bench' });
  try {
    await work(db);
  } finally {
    await db.close();
  }
}

async function readMark(url: string): Promise<Generated | null> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [table] = await sql`SELECT to_regclass('system_state') IS NOT NULL AS there`;
    if (table?.['there'] !== true) return null;
    const [row] = await sql<{ value: string }[]>`SELECT value FROM system_state WHERE key = ${MARK}`;
    if (row === undefined) return null;
    const mark = JSON.parse(row.value) as Omit<Generated, 'until'> & { until: string };
    return { ...mark, until: new Date(mark.until) };
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function writeMark(url: string, generated: Generated): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`INSERT INTO system_state (key, value) VALUES (${MARK}, ${JSON.stringify(generated)})`;
  await sql.end({ timeout: 1 });
}
