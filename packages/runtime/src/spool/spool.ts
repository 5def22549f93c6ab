import { randomBytes } from 'node:crypto';
import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Failpoints } from '../failpoints.ts';
import { createGroupCommit } from '../group-commit.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { adoptOrphans, claimFolder, quarantine } from './spool-folders.ts';
import { decodeRecords, encodeRecord, type SpoolRecord } from './spool-records.ts';
import { createSegment, openOnDisk, SegmentTakenError, type OpenFile, type Segment } from './spool-segment.ts';

/** A segment that is this large is followed by the next one. */
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;

/** Together at most this much is delivered at once: less than a job may hold. */
const DELIVERY_ITEMS_MAX = 500;
const DELIVERY_BYTES_MAX = 192 * 1024;

/**
 * The longest wait for the disk. One that hangs (a network volume that is away) must not collect callers without end; with the 1.5 s
 * that Redis had before, Twilio has not given up yet.
 */
const APPEND_MS_MAX = 2_000;

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
  /** Why the last event was not taken; null when it was, or when there may be room again. */
  problem(): string | null;
  /** The name of this process's own folder, and of those that it took over so far. */
  readonly instance: string;
  takenOver(): readonly string[];
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
  readonly #takenOver: string[] = [];
  #problem: string | null = null;
  readonly #commit: ReturnType<typeof createGroupCommit<Buffer, void>>;
  #current: (Segment & { events: number }) | undefined;
  #closed: Closed[] = [];
  #segments = 0;
  /** Writing and changing the segment take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SpoolOptions<K>, instance: string) {
    this.#options = options;
    this.instance = instance;
    this.#commit = createGroupCommit<Buffer, void>({
      site: 'spool',
      metrics: options.metrics,
      deadlineMs: APPEND_MS_MAX,
      sizeOf: (line) => line.length,
      flush: async (lines) => {
        await this.#inTurn(() => this.#writeOrSayWhyNot(lines));
        return lines.map(() => ({ ok: true, value: undefined }));
      },
    });
  }

  append(record: SpoolRecord<K>): Promise<void> {
    return this.#commit.commit(encodeRecord(record));
  }

  async drain(): Promise<number> {
    await this.adopt();
    await this.#inTurn(() => this.#closeCurrent());
    let delivered = 0;
    for (const segment of this.#closed.slice()) {
      // oxlint-disable-next-line no-await-in-loop -- the oldest first
      delivered += await this.#deliver(segment);
      this.#closed = this.#closed.filter((other) => other !== segment);
      this.#problem = null;
      this.#showWaiting();
    }
    return delivered;
  }

  waiting(): number {
    return this.#closed.reduce((sum, { events }) => sum + events, this.#current?.events ?? 0);
  }

  problem(): string | null {
    return this.#problem;
  }

  takenOver(): readonly string[] {
    return this.#takenOver;
  }

  async close(): Promise<void> {
    await this.#commit.drain();
    await this.#inTurn(() => this.#closeCurrent());
  }

  async adopt(): Promise<void> {
    const { dir, log } = this.#options;
    const { instances, segments } = await adoptOrphans(dir, join(dir, this.instance));
    this.#takenOver.push(...instances);
    for (const path of segments) {
      // oxlint-disable-next-line no-await-in-loop -- one file in memory at a time
      const content = await readFile(path);
      const events = content.filter((byte) => byte === 10).length;
      this.#closed.push({ path, bytes: content.length, events });
      log.warn({ path, events }, 'events were taken over that another process left behind on disk');
    }
    this.#showWaiting();
  }

  async #writeOrSayWhyNot(lines: readonly Buffer[]): Promise<void> {
    try {
      await this.#write(lines);
      this.#problem = null;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
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
    this.#closed.push(segment);
    await segment.close();
  }

  async #deliver({ path }: Closed): Promise<number> {
    const { deliver, failpoints, log } = this.#options;
    const content = await readFile(path).catch(orNullIfGone);
    // Taken by another process, which delivers it.
    if (content === null) return 0;
    const { records, damaged } = decodeRecords<K>(content);
    if (damaged.length > 0) {
      const kept = await quarantine(this.#options.dir, path, damaged);
      log.error({ kept, lines: damaged.length }, 'lines of the spool are damaged; they were put aside, the others are delivered');
    }
    for (const { kind, items } of inBatches(records)) {
      // oxlint-disable-next-line no-await-in-loop -- in their order, and the same batches again after a crash
      await deliver(kind, items);
    }
    await failpoints.reach('spool-before-delete');
    await unlink(path).catch(orNullIfGone);
    return records.length;
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

function orNullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** Of one kind each, in the order of the records, and the same for the same records: a delivery that is repeated is recognised. */
function inBatches<K extends string>(records: readonly SpoolRecord<K>[]): { kind: K; items: unknown[] }[] {
  const batches: { kind: K; items: unknown[]; bytes: number }[] = [];
  for (const { kind, item } of records) {
    const bytes = Buffer.byteLength(JSON.stringify(item));
    const open = batches.findLast((batch) => batch.kind === kind);
    if (open && open.items.length < DELIVERY_ITEMS_MAX && open.bytes + bytes <= DELIVERY_BYTES_MAX) {
      open.items.push(item);
      open.bytes += bytes;
    } else {
      batches.push({ kind, items: [item], bytes });
    }
  }
  return batches;
}
