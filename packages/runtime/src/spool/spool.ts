import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeadlineExceededError } from '../deadline.ts';
import { createErrorLogLimiter, type ErrorLogLimiter } from '../error-log-limiter.ts';
import type { Failpoints } from '../failpoints.ts';
import { createGroupCommit } from '../group-commit.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { deliverSegment } from './deliver-segment.ts';
import { adoptOrphans, claimFolder, removeTakenFolders } from './spool-folders.ts';
import { encodeRecord, type SpoolRecord } from './spool-records.ts';
import { createSegment, openOnDisk, SegmentTakenError, type OpenFile, type Segment } from './spool-segment.ts';

/** A segment that is this large is followed by the next one. */
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The longest wait for the disk. One that hangs (a network volume that is away) must not collect callers without end; with the 1.5 s
 * that Redis had before, Twilio has not given up yet.
 */
const APPEND_MS_MAX = 2_000;

/** What kept the disk from taking an event may be over: whoever is sent nothing because of it cannot find out. */
const PROBLEM_MS = 10_000;

/** Nothing more fits on the share of the disk that the spool may use; nothing was written. */
export class SpoolFullError extends Error {
  constructor(bytesMax: number) {
    super(`the spool holds all of the ${bytesMax} bytes that SPOOL_BYTES_MAX allows`);
    this.name = 'SpoolFullError';
  }
}

export interface SpoolOptions<K extends string> {
  /** Shared by all processes of the machine; each has a folder of its own in it. */
  dir: string;
  bytesMax: number;
  /** Takes what waited to where it belongs; resolves when it is durable there. May get the same items again after a crash. */
  deliver: (kind: K, items: unknown[]) => Promise<void>;
  failpoints: Failpoints;
  metrics: Pick<Metrics, 'spooledEvents' | 'groupCommitBatchSize'>;
  log: Logger;
  /** How files are opened; by default on disk. */
  openFile?: OpenFile;
}

/** Events on local disk that wait for their store. Survives `kill -9` and power failure as far as the disk keeps what it confirmed. */
export interface Spool<K extends string> {
  /**
   * Resolves when the record is on disk.
   *
   * @throws SpoolFullError, DeadlineExceededError after 2 s, or what the file system throws; the record may be there all the same
   */
  append(record: SpoolRecord<K>): Promise<void>;
  /**
   * Delivers everything that waits, also what processes that are gone left behind, the oldest of each first, and removes it then.
   *
   * @returns the number of events delivered. Rejects when a delivery does: what is left waits for the next call. One at a time.
   */
  drain(): Promise<number>;
  /** Events that wait. */
  waiting(): number;
  /** Why an event was not taken within the last 10 s; null when one was taken since, or there may be room again. */
  problem(): string | null;
  /** The name of this process's own folder. */
  readonly instance: string;
  /** The names of the folders of processes that are gone, of which it took what waited. They stay until they are forgotten. */
  takenOver(): readonly string[];
  forget(instances: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

interface Closed {
  path: string;
  bytes: number;
  events: number;
}

/** @throws Error when the folder cannot be written to: nobody should learn of that in an outage. */
export async function openSpool<K extends string>(options: SpoolOptions<K>): Promise<Spool<K>> {
  const instance = randomBytes(6).toString('hex');
  await claimFolder(options.dir, instance);
  const spool = new DiskSpool(options, instance);
  await spool.adopt();
  return spool;
}

class DiskSpool<K extends string> implements Spool<K> {
  readonly #options: SpoolOptions<K>;
  readonly instance: string;
  readonly #errors: ErrorLogLimiter;
  readonly #takenOver = new Set<string>();
  #problem: { reason: string; atMs: number } | null = null;
  readonly #commit: ReturnType<typeof createGroupCommit<Buffer, void>>;
  #current: (Segment & { events: number }) | undefined;
  #closed: Closed[] = [];
  #segments = 0;
  /** Writing and changing the segment take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SpoolOptions<K>, instance: string) {
    this.#options = options;
    this.instance = instance;
    this.#errors = createErrorLogLimiter({ log: options.log });
    this.#commit = createGroupCommit<Buffer, void>({
      site: 'spool',
      metrics: options.metrics,
      deadlineMs: APPEND_MS_MAX,
      sizeOf: (line) => line.length,
      flush: async (lines) => {
        await this.#inTurn(() => this.#write(lines));
        this.#problem = null;
        return lines.map(() => ({ ok: true, value: undefined }));
      },
    });
  }

  async append(record: SpoolRecord<K>): Promise<void> {
    try {
      await this.#commit.commit(encodeRecord(record));
    } catch (error) {
      const reason = error instanceof DeadlineExceededError ? 'the disk does not answer' : String(error);
      this.#problem = { reason: `the spool takes nothing: ${reason}`, atMs: performance.now() };
      throw error;
    }
  }

  async drain(): Promise<number> {
    await this.adopt();
    await this.#inTurn(() => this.#closeCurrent());
    let delivered = 0;
    for (const segment of this.#closed.slice()) {
      // oxlint-disable-next-line no-await-in-loop -- the oldest first
      delivered += await deliverSegment(segment.path, this.#options);
      this.#closed = this.#closed.filter((other) => other !== segment);
      this.#showWaiting();
    }
    this.#problem = null;
    return delivered;
  }

  waiting(): number {
    return this.#closed.reduce((sum, { events }) => sum + events, this.#current?.events ?? 0);
  }

  problem(): string | null {
    return this.#problem !== null && performance.now() - this.#problem.atMs < PROBLEM_MS ? this.#problem.reason : null;
  }

  takenOver(): readonly string[] {
    return [...this.#takenOver];
  }

  async forget(instances: readonly string[]): Promise<void> {
    await removeTakenFolders(this.#options.dir, instances);
    for (const instance of instances) this.#takenOver.delete(instance);
  }

  async close(): Promise<void> {
    await this.#commit.drain();
    await this.#inTurn(() => this.#closeCurrent());
  }

  async adopt(): Promise<void> {
    const { dir, log } = this.#options;
    const { instances, segments } = await adoptOrphans(dir, join(dir, this.instance), this.#errors);
    for (const instance of instances) this.#takenOver.add(instance);
    for (const path of segments) {
      // oxlint-disable-next-line no-await-in-loop -- one file in memory at a time
      const content = await readFile(path).catch(() => null);
      // One that cannot be read now waits all the same: its delivery says why.
      const events = content?.filter((byte) => byte === 10).length ?? 1;
      this.#closed.push({ path, bytes: content?.length ?? 0, events });
      log.warn({ path, events }, 'events were taken over that another process left behind on disk');
    }
    this.#showWaiting();
  }

  async #write(lines: readonly Buffer[]): Promise<void> {
    const { bytesMax } = this.#options;
    const bytes = Buffer.concat(lines);
    if (this.#bytes() + bytes.length > bytesMax) throw new SpoolFullError(bytesMax);
    this.#current ??= await this.#nextSegment();
    try {
      await this.#current.append(bytes);
    } catch (error) {
      // Half a line may stand at its end: nothing is appended there any more.
      const { path } = this.#current;
      await this.#closeCurrent();
      if (!(error instanceof SegmentTakenError)) throw error;
      this.#closed = this.#closed.filter((segment) => segment.path !== path);
      return this.#write(lines);
    }
    this.#current.events += lines.length;
    this.#showWaiting();
    if (this.#current.bytes >= SEGMENT_BYTES_MAX) await this.#closeCurrent();
  }

  async #nextSegment(): Promise<Segment & { events: number }> {
    const { dir, openFile = openOnDisk } = this.#options;
    this.#segments += 1;
    const name = `${String(this.#segments).padStart(8, '0')}.seg`;
    // Also where another process took the folder away, believing this one dead.
    await claimFolder(dir, this.instance);
    return Object.assign(await createSegment(join(dir, this.instance, name), openFile), { events: 0 });
  }

  async #closeCurrent(): Promise<void> {
    const segment = this.#current;
    if (segment === undefined) return;
    this.#current = undefined;
    // Where nothing was confirmed nothing is kept: a disk that is full for hours must not be filled with empty files.
    if (segment.events === 0) return segment.remove();
    this.#closed.push(segment);
    await segment.close();
  }

  #bytes(): number {
    return this.#closed.reduce((sum, { bytes }) => sum + bytes, this.#current?.bytes ?? 0);
  }

  #showWaiting(): void {
    this.#options.metrics.spooledEvents.set(this.waiting());
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
