import {
  ArchiveDamagedError,
  auditErasure,
  cancelForPerson,
  eraseFromArchives,
  erasePersonRows,
  findPerson,
  isArchiveElsewhere,
  isOwnSender,
  maskTaskInput,
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
import type { RetentionDeps } from './retention.ts';
import type { TaskDeps, TaskHandler, TaskRun } from './task-handler.ts';
import { waited } from './waited.ts';

/** A claim ends within a minute: what was claimed then is sent, or `unknown`. */
const SENDING_MS_MAX = 90_000;
/** An ingress gives its events back as soon as Redis answers; one that is silent is gone. */
const SPOOL_MS_MAX = 60_000;
const LOOK_AGAIN_MS = 500;

/** What was read or queued while the first round erased is erased by the second. */
const ROUNDS_MAX = 5;

/** What the input of a task is once its person is erased. */
const ERASED = 'erased';

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
  /** By the last search, which found `remaining`. */
  searched: Searched;
  /** Places in which the address still occurs; 0 after an erasure. */
  remaining: number;
}

type Deps = RetentionDeps & Pick<TaskDeps, 'producers'>;

/** Finds everything about one person, or erases it and proves it by a search through everything that this installation keeps. */
export function createEraseHandler(retention: RetentionDeps): TaskHandler {
  return async (task, run) => {
    const deps = { ...retention, producers: task.producers };
    try {
      const result = await findOrErase(deps, run);
      await maskTaskInput(deps.db, run.taskId);
      return result;
    } catch (error) {
      // It ends here: nobody reads the input again.
      if (error instanceof AppError && !error.retryable) await maskTaskInput(deps.db, run.taskId);
      throw error;
    }
  };
}

async function findOrErase(deps: Deps, run: TaskRun): Promise<ErasureResult> {
  const { phone, dryRun, reason } = eraseRequestSchema.parse({ reason: 'none', ...(run.input as object) });
  const person = await acceptPerson(deps, phone);
  const { found, searched, remaining } = await search(deps, person, run);
  const rows = await findPerson(deps.db, person);
  const first = { ...rows, ...found };
  if (dryRun) return { dryRun, found: first, erased: null, searched, remaining };
  const result = await withAdvisoryLock(deps.db, RETENTION_LOCK, () => eraseAll(deps, person, run));
  if (!result.ran) throw new AppError('OVERLOADED', 'A cleanup, a restore or another erasure is under way.');
  const { erased, after } = result.value;
  const details = {
    messages: erased.messages,
    inbound: erased.inbound,
    suppressions: erased.suppressions,
    archiveRecords: erased.archiveRecords,
  };
  await auditErasure(deps.db, { actor: run.requestedBy, reason: reason.replaceAll(new RegExp(person.pattern, 'g'), '0'), details });
  return { dryRun, found: first, erased, searched: after.searched, remaining: after.remaining };
}

async function acceptPerson({ db, retention }: Deps, phone: string): Promise<Person> {
  if (phone === ERASED)
    throw new AppError('NOT_FOUND', 'The worker ended after it had erased. Ask again with the number to see that nothing is left.');
  const person = readPerson(phone);
  if (person === null) throw new AppError('VALIDATION_FAILED', 'phone must be +<country code and number>, or whatsapp:<CC>.<user id>.');
  if (await isOwnSender(db, person))
    throw new AppError('VALIDATION_FAILED', 'This is one of our own senders, which stands in every message: it cannot be erased.');
  if (await isArchiveElsewhere(db, retention.archive)) {
    throw new AppError(
      'VALIDATION_FAILED',
      'Rows went to an archive that this worker does not have: set ARCHIVE_DIR to the same folder for all workers, and ask again.',
    );
  }
  return person;
}

/** Erases until a whole search finds nothing: what was on its way is there by the next round. */
async function eraseAll(deps: Deps, person: Person, run: TaskRun) {
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
  await untilNothingIsSpooled(deps, run.signal);
  for (let round = 1; ; round += 1) {
    const tell = (step: string) => run.progress({ round, step });
    await tell('queues');
    const queues = await producers.erase(new RegExp(person.pattern), { dryRun: false });
    erased.redisKeys += queues.found - queues.left;
    await tell('messages');
    await untilNothingIsSent(deps, person, run.signal);
    const rows = await erasePersonRows(db, person);
    for (const key of ['messages', 'inbound', 'windows', 'suppressions'] as const) erased[key] += rows[key];
    const scrubbed = await scrubTables(db, person.pattern, { exceptTask: run.taskId, onTable: (name) => tell(`table ${name}`) });
    for (const [table, count] of Object.entries(scrubbed)) erased.tables[table] = (erased.tables[table] ?? 0) + count;
    const { archive } = retention;
    if (archive !== null)
      erased.archiveRecords += (await searchable(() => eraseFromArchives(archive, person, () => tell('archives')))).found;
    const after = await search(deps, person, run);
    if (after.remaining === 0) return { erased, after };
    if (round === ROUNDS_MAX) throw stillThere(after.found);
    run.signal.throwIfAborted();
    await waited(LOOK_AGAIN_MS, run.signal);
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
  { db, producers, retention }: Deps,
  person: Person,
  run: TaskRun,
): Promise<{ found: Traces; searched: Searched; remaining: number }> {
  const tell = (step: string) => run.progress({ step: `search ${step}` });
  const tables = await searchTables(db, person.pattern, { exceptTask: run.taskId, onTable: tell });
  await tell('queues');
  const queues = await producers.erase(new RegExp(person.pattern), { dryRun: true });
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

async function untilNothingIsSpooled({ producers, clock }: Deps, signal: AbortSignal): Promise<void> {
  const startMs = clock.monotonicMs();
  while (await producers.mayBeSpooled()) {
    if (clock.monotonicMs() - startMs > SPOOL_MS_MAX) {
      throw new AppError(
        'VALIDATION_FAILED',
        'Events may wait on the disk of an ingress, or one is silent: start it, see that it reaches Redis, and ask again.',
      );
    }
    await waited(LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

/** Cancels what waits, and waits for what is being sent. @throws AppError when nobody knows whether something was sent */
async function untilNothingIsSent({ db, clock }: Deps, person: Person, signal: AbortSignal): Promise<void> {
  const startMs = clock.monotonicMs();
  for (;;) {
    await cancelForPerson(db, person);
    const { sending, unknown } = await findPerson(db, person);
    if (sending === 0 && unknown === 0) return;
    if (sending === 0) {
      throw new AppError(
        'VALIDATION_FAILED',
        `Of ${unknown} messages to this number nobody knows whether they were sent: decide about them (tickmark resolve --list), and ask again.`,
      );
    }
    if (clock.monotonicMs() - startMs > SENDING_MS_MAX)
      throw new AppError('VALIDATION_FAILED', 'A message to this number is being sent: ask again in a minute.');
    await waited(LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}
