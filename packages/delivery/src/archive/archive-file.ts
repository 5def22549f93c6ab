import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { ArchiveDamagedError, type ArchiveManifest } from './archive-manifest.ts';
import { parseLine, toLine, type ArchiveRecord } from './archive-record.ts';

export type ArchiveSums = Pick<ArchiveManifest, 'records' | 'bytes' | 'sha256' | 'contentSha256'>;

/** Writes records to a new file and sees to it that they are on the disk. In constant memory. */
export async function writeArchiveFile(path: string, records: AsyncIterable<ArchiveRecord>): Promise<ArchiveSums> {
  const content = createHash('sha256');
  const packed = createHash('sha256');
  let count = 0;
  let bytes = 0;
  const lines = async function* () {
    for await (const record of records) {
      const line = `${toLine(record)}\n`;
      content.update(line);
      count += 1;
      yield line;
    }
  };
  const file = await open(path, 'w', 0o600);
  try {
    const sink = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        packed.update(chunk);
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
    };
    await pipeline(Readable.from(lines()), createGzip(), sink);
    await file.sync();
  } finally {
    await file.close();
  }
  return { records: count, bytes, sha256: packed.digest('hex'), contentSha256: content.digest('hex') };
}

/**
 * Reads the records of a file one by one. When it ends without an error, the file is byte by byte the one that was written.
 *
 * @throws ArchiveDamagedError as soon as something does not match: what came before must not be relied upon
 */
export async function* readArchiveFile(path: string, expected: ArchiveSums): AsyncGenerator<ArchiveRecord> {
  const content = createHash('sha256');
  const packed = createHash('sha256');
  let count = 0;
  try {
    for await (const line of readLines(path, packed)) {
      content.update(`${line}\n`);
      const record = parseLine(line);
      if (record === null) throw new Error(`line ${count + 1} is not what was written`);
      count += 1;
      yield record;
    }
    const found = { records: count, sha256: packed.digest('hex'), contentSha256: content.digest('hex') };
    for (const key of ['records', 'sha256', 'contentSha256'] as const) {
      if (found[key] !== expected[key]) throw new Error(`its ${key} is ${found[key]} instead of ${expected[key]}`);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArchiveDamagedError(`${path} is damaged (${reason}): put it back from a copy of ARCHIVE_DIR`, { cause: error });
  }
}

async function* readLines(path: string, packed: Hash): AsyncGenerator<string> {
  const bytes = createReadStream(path);
  const unpacked = createGunzip();
  bytes.on('data', (chunk) => packed.update(chunk));
  // pipe() does not pass errors on.
  bytes.once('error', (error) => unpacked.destroy(error));
  // The iteration tells of it; one more after its end would be nobody's.
  unpacked.on('error', () => undefined);
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of bytes.pipe(unpacked) as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    bytes.destroy();
  }
  if (rest !== '') throw new Error('the last line is cut');
}
