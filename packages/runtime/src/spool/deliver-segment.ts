import { readFile, unlink } from 'node:fs/promises';
import type { Failpoints } from '../failpoints.ts';
import type { Logger } from '../logger.ts';
import { quarantine } from './spool-folders.ts';
import { decodeRecords, type SpoolRecord } from './spool-records.ts';
import { orNullIfGone } from './spool-segment.ts';

/** Together at most this much is delivered at once: less than a job may hold. */
const DELIVERY_ITEMS_MAX = 500;
const DELIVERY_BYTES_MAX = 192 * 1024;

export interface SegmentDelivery<K extends string> {
  /** Where lines that cannot be read are put aside. */
  dir: string;
  deliver: (kind: K, items: unknown[]) => Promise<void>;
  failpoints: Failpoints;
  log: Logger;
}

/** Delivers the events of a segment and removes it then. @returns how many; 0 when another process has taken it, which delivers it */
export async function deliverSegment<K extends string>(
  path: string,
  { dir, deliver, failpoints, log }: SegmentDelivery<K>,
): Promise<number> {
  const content = await readFile(path).catch(orNullIfGone);
  if (content === null) return 0;
  const { records, damaged } = decodeRecords<K>(content);
  for (const { kind, items } of inBatches(records)) {
    // oxlint-disable-next-line no-await-in-loop -- in their order, and the same batches again after a crash
    await deliver(kind, items);
  }
  if (damaged.length > 0) {
    const kept = await quarantine(dir, path, damaged);
    log.error({ kept, lines: damaged.length }, 'lines of the spool are damaged; they were put aside, the others are delivered');
  }
  await failpoints.reach('spool-before-delete');
  await unlink(path).catch(orNullIfGone);
  return records.length;
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
