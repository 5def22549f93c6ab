import {
  ArchiveDamagedError,
  auditErasure,
  eraseFromArchives,
  erasePersonRows,
  findArchivesElsewhere,
  findPerson,
  isOwnSender,
  readPerson,
  RETENTION_LOCK,
  scrubTables,
  searchArchives,
  searchTables,
  withAdvisoryLock,
  type Person,
  type PersonRows,
} from '@tickmark/delivery';
import { AppError, eraseRequestSchema } from '@tickmark/domain';
import { redactErased, refuseWhileQuoted, untilNothingIsSent, untilNothingIsSpooled } from './erase-steps.ts';
import type { RetentionDeps } from './retention.ts';
import type { TaskDeps, TaskHandler, TaskRun } from './task-handler.ts';
import { waited } from './waited.ts';

const LOOK_AGAIN_MS = 500;

/** What was read or queued while the first round erased is erased by the second. */
const ROUNDS_MAX = 5;

/** Where a person occurs: rows by table, keys of Redis, records of the archive. */
interface Traces {
  tables: Record<string, number>;
  redisKeys: number;
  archiveRecords: number;
}

interface Searched {
  tables: number;
  redisKeys: number;
  archiveFiles: number;
}

export interface ErasureResult {
  dryRun: boolean;
  /** Under the person's address, and wherever else it stands. */
  found: PersonRows & Traces;
  /** What was deleted or, in texts about others, blotted out; null in a dry run. */
  erased: (Pick<PersonRows, 'messages' | 'inbound' | 'windows' | 'suppressions'> & Traces) | null;
  /** Messages from and to the person at Twilio: whose contents went there too, and whose stay. Null in a dry run. */
  atTwilio: { redacted: number; kept: number } | null;
  /** By the last search, which found `remaining`. */
  searched: Searched;
  /** Places in which the address still occurs; 0 after an erasure. */
  remaining: number;
}

export type EraseDeps = RetentionDeps & Pick<TaskDeps, 'producers'>;

/** Finds everything about one person, or erases it and proves it by a search through everything that this installation keeps. */
export function createEraseHandler(retention: RetentionDeps): TaskHandler {
  return (task, run) => findOrErase({ ...retention, producers: task.producers }, run);
}

async function findOrErase(deps: EraseDeps, run: TaskRun): Promise<ErasureResult> {
  const { phone, dryRun, reason } = eraseRequestSchema.parse({ reason: 'none', ...(run.input as object) });
  const person = await acceptPerson(deps, phone);
  const first = async () => {
    const { found, ...answer } = await search(deps, person, run);
    return { ...answer, found: { ...(await findPerson(deps.db, person)), ...found } };
  };
  if (dryRun) return { dryRun, erased: null, atTwilio: null, ...(await first()) };
  const result = await withAdvisoryLock(deps.db, RETENTION_LOCK, async () => {
    const { found } = await first();
    return { found, ...(await eraseAll(deps, person, run)) };
  });
  if (!result.ran) throw new AppError('OVERLOADED', 'A cleanup, a restore or another erasure is under way.');
  const { found, erased, atTwilio, after } = result.value;
  const details = {
    messages: erased.messages,
    inbound: erased.inbound,
    suppressions: erased.suppressions,
    archiveRecords: erased.archiveRecords,
    keptAtTwilio: atTwilio.kept,
  };
  await auditErasure(deps.db, { actor: run.requestedBy, reason: reason.replaceAll(new RegExp(person.pattern, 'g'), '0'), details });
  return { dryRun, found, erased, atTwilio, searched: after.searched, remaining: after.remaining };
}

async function acceptPerson({ db, retention }: EraseDeps, phone: string): Promise<Person> {
  const person = readPerson(phone);
  if (person === null) throw new AppError('VALIDATION_FAILED', 'phone must be +<country code and number>, or whatsapp:<CC>.<user id>.');
  if (await isOwnSender(db, person))
    throw new AppError('VALIDATION_FAILED', 'This is one of our own senders, which stands in every message: it cannot be erased.');
  const elsewhere = await findArchivesElsewhere(db, retention.archive);
  if (elsewhere.length > 0) {
    throw new AppError(
      'VALIDATION_FAILED',
      `Rows went to an archive that this worker does not have (archive-id ${elsewhere.join(', ')}): set ARCHIVE_DIR to the same folder for all workers; when its files were moved here or are gone for good, append that id as a line to archive-id in ARCHIVE_DIR. Then ask again.`,
    );
  }
  return person;
}

/** Erases until a whole search finds nothing: what was on its way is there by the next round. */
async function eraseAll(deps: EraseDeps, person: Person, run: TaskRun) {
  const { db, producers, retention } = deps;
  const erased = {
    messages: 0,
    inbound: 0,
    windows: 0,
    suppressions: 0,
    tables: {} as Record<string, number>,
    redisKeys: 0,
    archiveRecords: 0,
  };
  const atTwilio = { redacted: 0, kept: 0 };
  const { signal } = run;
  await untilNothingIsSpooled(deps, signal);
  for (let round = 1; ; round += 1) {
    const tell = async (step: string) => {
      signal.throwIfAborted();
      await run.progress({ round, step });
    };
    await refuseWhileQuoted(deps, person, signal);
    await tell('queues');
    const queues = await producers.erase(new RegExp(person.pattern), { dryRun: false, signal });
    erased.redisKeys += queues.found - queues.left;
    await tell('messages');
    await untilNothingIsSent(deps, person, signal);
    const redacted = await redactErased(deps, person, signal);
    for (const key of ['redacted', 'kept'] as const) atTwilio[key] += redacted[key];
    const rows = await erasePersonRows(db, person, signal);
    for (const key of ['messages', 'inbound', 'windows', 'suppressions'] as const) erased[key] += rows[key];
    const scrubbed = await scrubTables(db, person, { exceptTask: run.taskId, onTable: (name) => tell(`table ${name}`), signal });
    for (const [table, count] of Object.entries(scrubbed)) erased.tables[table] = (erased.tables[table] ?? 0) + count;
    const { archive } = retention;
    if (archive !== null)
      erased.archiveRecords += (await searchable(() => eraseFromArchives(archive, person, () => tell('archives')))).found;
    let after = await search(deps, person, run);
    // What was moved meanwhile to a place that was searched before is found by another search.
    if (after.remaining === 0) after = await search(deps, person, run);
    if (after.remaining === 0) return { erased, atTwilio, after };
    if (round === ROUNDS_MAX) throw stillThere(after.found);
    signal.throwIfAborted();
    await waited(LOOK_AGAIN_MS, signal);
  }
}

function stillThere({ tables, redisKeys, archiveRecords }: Traces): AppError {
  const places = [...Object.keys(tables), ...(redisKeys > 0 ? ['Redis'] : []), ...(archiveRecords > 0 ? ['the archive'] : [])].join(', ');
  return new AppError(
    'VALIDATION_FAILED',
    `Something about this number keeps coming back (${places}): stop what sends to it, and ask again. What was erased stays erased.`,
  );
}

async function search(
  { db, producers, retention }: EraseDeps,
  person: Person,
  run: TaskRun,
): Promise<{ found: Traces; searched: Searched; remaining: number }> {
  const { signal } = run;
  const tell = async (step: string) => {
    signal.throwIfAborted();
    await run.progress({ step: `search ${step}` });
  };
  const tables = await searchTables(db, person, { exceptTask: run.taskId, onTable: tell, signal });
  await tell('queues');
  const queues = await producers.erase(new RegExp(person.pattern), { dryRun: true, signal });
  const { archive } = retention;
  const archives =
    archive === null ? { files: 0, found: 0 } : await searchable(() => searchArchives(archive, person, () => tell('archives')));
  const found = { tables: tables.found, redisKeys: queues.found, archiveRecords: archives.found };
  const remaining = Object.values(tables.found).reduce((sum, count) => sum + count, 0) + queues.found + archives.found;
  return { found, searched: { tables: tables.tables, redisKeys: queues.keys, archiveFiles: archives.files }, remaining };
}

async function searchable<R>(read: () => Promise<R>): Promise<R> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ArchiveDamagedError)) throw error;
    throw new AppError(
      'VALIDATION_FAILED',
      `The archive cannot be searched: ${error.message}, or move the file and its manifest away, and ask again.`,
    );
  }
}
