import { crc32 } from 'node:zlib';

/** One thing that waits on disk; `kind` says what it is, `item` is JSON. */
export interface SpoolRecord<K extends string = string> {
  kind: K;
  item: unknown;
}

const LINE_END = 10;
const CHECKSUM_LENGTH = 8;

/** A record as one line: CRC-32 of the rest in hex, a blank, JSON. Lines, so that what follows a damaged record can still be read. */
export function encodeRecord({ kind, item }: SpoolRecord): Buffer {
  const json = JSON.stringify([kind, item]);
  return Buffer.from(`${checksum(Buffer.from(json))} ${json}\n`);
}

/** @returns the records in their order, and the lines that are none: torn by a crash or damaged on disk */
export function decodeRecords<K extends string>(content: Buffer): { records: SpoolRecord<K>[]; damaged: Buffer[] } {
  const records: SpoolRecord<K>[] = [];
  const damaged: Buffer[] = [];
  for (let start = 0; start < content.length;) {
    const found = content.indexOf(LINE_END, start);
    const end = found === -1 ? content.length : found;
    const line = content.subarray(start, end);
    const record = decodeLine<K>(line);
    if (record) records.push(record);
    else if (line.length > 0) damaged.push(line);
    start = end + 1;
  }
  return { records, damaged };
}

function decodeLine<K extends string>(line: Buffer): SpoolRecord<K> | null {
  const json = line.subarray(CHECKSUM_LENGTH + 1);
  if (line.toString('latin1', 0, CHECKSUM_LENGTH) !== checksum(json)) return null;
  // The checksum vouches for what we wrote ourselves.
  const [kind, item] = JSON.parse(json.toString()) as [K, unknown];
  return { kind, item };
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(CHECKSUM_LENGTH, '0');
}
