import type postgres from 'postgres';
import { readToEnd, type Archive } from '../archive/archive.ts';
import { ArchiveDamagedError, type ArchiveManifest } from '../archive/archive-manifest.ts';
import type { ArchivedKind, ArchiveRecord } from '../archive/archive-record.ts';
import { inStatement, inTransaction, type Database } from '../database.ts';
import { withAdvisoryLock } from '../with-advisory-lock.ts';
import { writeAudit } from '../write-audit.ts';
import { RETENTION_LOCK } from './cleanup-old-messages.ts';
import { pauseCleanup } from './cleanup-pause.ts';
import { RETAINED_KINDS } from './retained-rows.ts';

const BATCH_RECORDS = 500;

export interface RestoreInput {
  /** Names of archives (`ArchiveManifest.name`); null = all. */
  names: readonly string[] | null;
  /** Verifies and counts only. */
  dryRun?: boolean;
  /** For so many days from now the cleanup deletes no row: what comes back is older than its period, and would go at once. */
  keepDays: number;
  /** Who, and why, for the audit log. */
  actor: string;
  reason: string;
  /** Told after each batch. */
  onProgress?: (progress: { name: string; records: number }) => void;
}

export interface RestoreResult {
  files: number;
  /** Files that are not what was written: nothing of them was put back. */
  damaged: string[];
  /** In the files. */
  records: number;
  /** Put back. */
  restored: number;
  /** Whose row is in the database: it was left as it is. */
  present: number;
  /** Put back, but not equal to what was archived: the tables have got other columns since. */
  unequal: number;
  /** ISO 8601 in UTC; null in a dry run. */
  keptUntil: string | null;
}

export type RestoreAnswer = ({ kind: 'restored' } & RestoreResult) | { kind: 'busy' } | { kind: 'unknown_names'; names: string[] };

/**
 * Puts archived rows back: each file is verified to its end first, what is in the database already stays as it is, tombstones of what comes back go,
 * and the rollups do not count it twice. The archive stays as it is. Safe to repeat and to interrupt.
 */
export async function restoreArchive(
  { db, archive }: { db: Pick<Database, 'sql'>; archive: Archive },
  input: RestoreInput,
): Promise<RestoreAnswer> {
  const { manifests, damaged } = await archive.survey();
  const broken = damaged.flatMap(({ archive: name }) => name ?? []).filter((name) => input.names?.includes(name) ?? true);
  const unknown = (input.names ?? []).filter((name) => !broken.includes(name) && !manifests.some((manifest) => manifest.name === name));
  if (unknown.length > 0) return { kind: 'unknown_names', names: unknown };
  const chosen = manifests.filter(({ name }) => input.names?.includes(name) ?? true);
  const run = async () => {
    const result = await restoreFiles({ db, archive }, chosen, input);
    return { ...result, damaged: [...broken.map((name) => `${name}.manifest.json`), ...result.damaged] };
  };
  if (input.dryRun === true) return { kind: 'restored', ...(await run()) };
  // Neither a cleanup nor an erasure may change the folder meanwhile.
  const result = await withAdvisoryLock(db, RETENTION_LOCK, run);
  return result.ran ? { kind: 'restored', ...result.value } : { kind: 'busy' };
}

async function restoreFiles(
  { db, archive }: { db: Pick<Database, 'sql'>; archive: Archive },
  manifests: readonly ArchiveManifest[],
  { dryRun = false, keepDays, actor, reason, onProgress }: RestoreInput,
): Promise<RestoreResult> {
  const result: RestoreResult = { files: 0, damaged: [], records: 0, restored: 0, present: 0, unequal: 0, keptUntil: null };
  if (!dryRun) result.keptUntil = await pauseCleanup(db, keepDays);
  for (const manifest of manifests) {
    const { name } = manifest;
    if (!(await isWhole(archive, manifest))) {
      result.damaged.push(manifest.file);
      continue;
    }
    const before = result.restored;
    for await (const records of inBatches(archive.read(manifest))) {
      result.records += records.length;
      if (!dryRun) add(result, await inTransaction(db.sql, (tx) => restoreRecords(tx, records)));
      if (!dryRun) await passSequences(db);
      onProgress?.({ name, records: result.records });
    }
    result.files += 1;
    if (dryRun) continue;
    const details = { archive: name, restored: result.restored - before };
    await inTransaction(db.sql, (tx) => writeAudit(tx, [{ actor, action: 'archive_restored', messageId: null, reason, details }]));
  }
  return result;
}

/** What is written from now on must not get a number that came back: a database made anew counts from 1. */
async function passSequences(db: Pick<Database, 'sql'>): Promise<void> {
  for (const table of ['audit_log', 'dead_letters']) {
    await inStatement(
      db.sql,
      (sql) => sql`
        SELECT setval(pg_get_serial_sequence(${table}, 'id'), t.id)
        FROM (SELECT max(id) AS id FROM ${sql(table)}) t
        WHERE t.id > COALESCE(pg_sequence_last_value(pg_get_serial_sequence(${table}, 'id')::regclass), 0)`,
    );
  }
}

async function isWhole(archive: Archive, manifest: ArchiveManifest): Promise<boolean> {
  try {
    await readToEnd(archive.read(manifest));
    return true;
  } catch (error) {
    if (error instanceof ArchiveDamagedError) return false;
    throw error;
  }
}

function add(result: RestoreResult, { restored, present, unequal }: Pick<RestoreResult, 'restored' | 'present' | 'unequal'>): void {
  result.restored += restored;
  result.present += present;
  result.unequal += unequal;
}

/** Records of one kind, so many at a time. */
async function* inBatches(records: AsyncIterable<ArchiveRecord>): AsyncGenerator<ArchiveRecord[]> {
  let batch: ArchiveRecord[] = [];
  for await (const record of records) {
    if (batch.length === BATCH_RECORDS || (batch[0] && batch[0].kind !== record.kind)) {
      yield batch;
      batch = [];
    }
    batch.push(record);
  }
  if (batch.length > 0) yield batch;
}

/** Table of the row that a record is named after, and its key. */
const OWNERS: Record<ArchivedKind, { table: string; key: string }> = {
  message: { table: 'whatsapp_messages', key: 'id' },
  inbound: { table: 'inbound_messages', key: 'message_sid' },
  dead_letter: { table: 'dead_letters', key: 'id' },
  task: { table: 'tasks', key: 'id' },
  audit: { table: 'audit_log', key: 'id' },
};

async function restoreRecords(tx: postgres.ISql, records: readonly ArchiveRecord[]) {
  const kind = records[0]?.kind ?? 'message';
  const { table, key } = OWNERS[kind];
  // Read by the triggers of the rollups: they have counted these rows once.
  await tx`SELECT set_config('tickmark.restoring', 'on', true)`;
  const added = new Set(await insertRows(tx, records, table, key));
  const restored = records.filter((record) => added.has(record.key));
  const others = Object.keys(JSON.parse(records[0]?.rows ?? '{}') as object).filter((name) => name !== table);
  for (const other of others) await insertRows(tx, restored, other, null);
  if (kind === 'message') await tx`DELETE FROM message_tombstones WHERE message_id = ANY (${[...added]}::uuid[])`;
  const now = new Map((await RETAINED_KINDS.get(kind)?.bundle(tx, [...added]))?.map((record) => [record.key, record.sha256]));
  const unequal = restored.filter((record) => now.get(record.key) !== record.sha256).length;
  return { restored: restored.length, present: records.length - restored.length, unequal };
}

/** @returns the keys of those that were not there */
async function insertRows(tx: postgres.ISql, records: readonly ArchiveRecord[], table: string, key: string | null): Promise<string[]> {
  const columns = await findColumns(tx, records, table);
  if (columns.length === 0) return [];
  const rows = await tx<{ key: string }[]>`
    INSERT INTO ${tx(table)} (${tx(columns)}) OVERRIDING SYSTEM VALUE
    SELECT ${tx(columns.map((column) => `t.${column}`))}
    FROM unnest(${records.map((record) => record.rows)}::text[]) AS r (rows)
      CROSS JOIN LATERAL jsonb_populate_recordset(NULL::${tx(table)}, r.rows::jsonb -> ${table}::text) AS t
    ON CONFLICT DO NOTHING
    RETURNING ${key === null ? tx`''` : tx`${tx(key)}::text`} AS key`;
  return rows.map((row) => row.key);
}

/** The columns that the archived rows have: one that the table has got since takes its default. @throws Error for one that it has no more */
async function findColumns(tx: postgres.ISql, records: readonly ArchiveRecord[], table: string): Promise<string[]> {
  const archived = await tx<{ name: string; known: boolean }[]>`
    SELECT k.name, EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass(${table}) AND a.attname = k.name AND NOT a.attisdropped
    ) AS known
    FROM (
      SELECT DISTINCT jsonb_object_keys(t.row) AS name
      FROM unnest(${records.map((record) => record.rows)}::text[]) AS r (rows)
        CROSS JOIN LATERAL jsonb_array_elements(r.rows::jsonb -> ${table}::text) AS t (row)
    ) k ORDER BY k.name`;
  const gone = archived.filter(({ known }) => !known).map(({ name }) => name);
  if (gone.length > 0) {
    throw new Error(`the archive has columns that ${table} has not: ${gone.join(', ')}. Restore it with the release that wrote it.`);
  }
  return archived.map(({ name }) => name);
}
