import type { Archive } from '../archive/archive.ts';
import { hashRows, type ArchiveRecord } from '../archive/archive-record.ts';
import type { Person } from './person.ts';

export interface ArchivesErased {
  /** Files read to their end. */
  files: number;
  /** Records in which the person occurs. */
  found: number;
}

/** Counts the records of an archive in which a person occurs. @throws ArchiveDamagedError when a file cannot be searched */
export async function searchArchives(archive: Archive, person: Person, onFile?: () => Promise<void>): Promise<ArchivesErased> {
  const pattern = new RegExp(person.pattern);
  const result = { files: 0, found: 0 };
  for (const manifest of await archive.list()) {
    await onFile?.();
    for await (const record of archive.read(manifest)) if (pattern.test(record.rows)) result.found += 1;
    result.files += 1;
  }
  return result;
}

/**
 * Writes each file anew in which a person occurs: without the person's own records, and without the address in those of others. Files that no
 * manifest names, whose writing or rewriting was killed, go. For whoever holds the lock of the archive; safe to repeat.
 */
export async function eraseFromArchives(archive: Archive, person: Person, onFile?: () => Promise<void>): Promise<ArchivesErased> {
  const pattern = new RegExp(person.pattern);
  const result = { files: 0, found: 0 };
  await archive.removeLeftovers();
  for (const manifest of await archive.list()) {
    await onFile?.();
    let found = 0;
    for await (const record of archive.read(manifest)) if (pattern.test(record.rows)) found += 1;
    if (found > 0) await archive.rewrite(manifest, (record) => eraseFromRecord(record, person, pattern));
    result.files += 1;
    result.found += found;
  }
  await archive.removeLeftovers();
  return result;
}

function eraseFromRecord(record: ArchiveRecord, { addresses, pattern: source }: Person, pattern: RegExp): ArchiveRecord | null {
  if (!pattern.test(record.rows)) return record;
  if (addresses.some((address) => isOwn(record.rows, address))) return null;
  const rows = record.rows.replaceAll(new RegExp(source, 'g'), '0');
  return { ...record, rows, sha256: hashRows(rows) };
}

function isOwn(rows: string, address: string): boolean {
  const tables = JSON.parse(rows) as Partial<Record<string, { recipient?: string | null; from_address?: string | null }[]>>;
  const own = [...(tables['whatsapp_messages'] ?? []), ...(tables['inbound_messages'] ?? [])];
  return own.some((row) => row.recipient === address || row.from_address === address);
}
