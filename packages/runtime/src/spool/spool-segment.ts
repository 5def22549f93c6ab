import { open, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What the segment needs of a file; a test stands in a disk that forgets what was not flushed. */
export type SegmentFile = Pick<FileHandle, 'appendFile' | 'datasync' | 'stat' | 'close'>;

export type OpenFile = (path: string, flags: string) => Promise<SegmentFile>;

export const openOnDisk: OpenFile = (path, flags) => open(path, flags, 0o600);

/** Another process has taken the file away meanwhile, believing this one dead; what was just written may or may not be read by it. */
export class SegmentTakenError extends Error {
  constructor(path: string) {
    super(`${path} was taken by another process`);
    this.name = 'SegmentTakenError';
  }
}

/** A file that is only ever appended to. */
export interface Segment {
  path: string;
  bytes: number;
  /** Resolves when the bytes are on disk, under the name of this segment. @throws SegmentTakenError, or what the file system throws */
  append(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
  /** Closes it and takes its name away. */
  remove(): Promise<void>;
}

export async function createSegment(path: string, openFile: OpenFile): Promise<Segment> {
  const file = await openFile(path, 'ax');
  const remove = async () => {
    await Promise.allSettled([file.close(), unlink(path)]);
  };
  try {
    const { ino } = await file.stat();
    // The name is durable too.
    await syncFolder(dirname(path));
    return segmentOf(path, file, ino, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

function segmentOf(path: string, file: SegmentFile, ino: number, remove: () => Promise<void>): Segment {
  const segment: Segment = {
    path,
    bytes: 0,
    async append(bytes) {
      await file.appendFile(bytes);
      await file.datasync();
      const named = await stat(path).catch(() => null);
      if (named?.ino !== ino) throw new SegmentTakenError(path);
      segment.bytes += bytes.length;
    },
    close: () => file.close(),
    remove,
  };
  return segment;
}

export function orNullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** Makes names that were given or taken in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
