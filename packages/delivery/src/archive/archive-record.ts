import { createHash } from 'node:crypto';

/** What is kept together: a message with everything about it, or one row of another table. */
export const ARCHIVED_KINDS = ['message', 'inbound', 'dead_letter', 'task', 'audit'] as const;

export type ArchivedKind = (typeof ARCHIVED_KINDS)[number];

/** One line of an archive. */
export interface ArchiveRecord {
  kind: ArchivedKind;
  /** Of the row that the others belong to: an id or a sid. */
  key: string;
  /** SHA-256 in hex of `rows`. */
  sha256: string;
  /** An object of table name → array of rows, as the text that PostgreSQL wrote (`jsonb`): its form is canonical, so equal rows have equal hashes. */
  rows: string;
}

const LINE = /^\{"kind":"([a-z_]+)","key":"([0-9A-Za-z-]+)","sha256":"([0-9a-f]{64})","rows":(\{.*\})\}$/s;

/** The line of a record, without its end: JSON whose `rows` stand there byte by byte as they were hashed. */
export function toLine({ kind, key, sha256, rows }: ArchiveRecord): string {
  return `{"kind":"${kind}","key":"${key}","sha256":"${sha256}","rows":${rows}}`;
}

/** @returns null when the line is no record, or its rows are not those that were hashed */
export function parseLine(line: string): ArchiveRecord | null {
  const [, kind = '', key = '', sha256 = '', rows = ''] = LINE.exec(line) ?? [];
  return isArchivedKind(kind) && hashRows(rows) === sha256 ? { kind, key, sha256, rows } : null;
}

/** The hash by which a record is known to be unchanged. */
export function hashRows(rows: string): string {
  return createHash('sha256').update(rows).digest('hex');
}

function isArchivedKind(text: string): text is ArchivedKind {
  return (ARCHIVED_KINDS as readonly string[]).includes(text);
}
