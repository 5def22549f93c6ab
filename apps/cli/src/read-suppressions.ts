import { readFileSync } from 'node:fs';
import type { SuppressionEvent } from '@tickmark/delivery';
import { normalizeRecipient, type Sender } from '@tickmark/domain';
import { parse } from 'csv-parse/sync';
import { CliError } from './cli-error.ts';

const RECIPIENT_COLUMNS = ['recipient', 'phone'];
const COLUMNS = [...RECIPIENT_COLUMNS, 'sender', 'category', 'at', 'reason'];

/** Clocks differ a little; what is said to happen later than this would outdo every START until then. */
const AHEAD_MS_MAX = 60_000;

/** A date, or a time with its offset: without one nobody knows whose time it is. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/;

export interface SuppressionFile {
  rows: number;
  /** One for each row and sender. */
  events: SuppressionEvent[];
  /** Rows that cannot be used. Their text is not repeated: it is personal. */
  invalid: { line: number; problem: string }[];
}

type Row = Partial<Record<string, string>>;

/**
 * Reads a CSV file of people who must not be written to: a column `recipient` or `phone`, and if wanted `sender` (alias or address; all of
 * them when absent), `category` (`all` or `marketing`), `at` (when it was said; now when absent) and `reason`.
 *
 * @throws CliError when it cannot be read as such a file at all
 */
export function readSuppressions(path: string, senders: readonly Sender[], nowMs: number): SuppressionFile {
  const file: SuppressionFile = { rows: 0, events: [], invalid: [] };
  for (const { record, line } of readRows(path)) {
    file.rows += 1;
    const read = readRow(record, senders, nowMs);
    if (typeof read === 'string') file.invalid.push({ line, problem: read });
    else file.events.push(...read);
  }
  return file;
}

function readRows(path: string): { record: Row; line: number }[] {
  let columns: string[] = [];
  const options = {
    bom: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    info: true,
    columns: (header: string[]) => (columns = header.map((name) => name.toLowerCase())),
  } as const;
  try {
    // With `info` each record comes with the line at which it ends, which the types do not know.
    const found = parse(readFileSync(path), options) as unknown as { record: Row; info: { lines: number } }[];
    if (!columns.some((column) => RECIPIENT_COLUMNS.includes(column))) {
      throw new Error(`there is no column "recipient" or "phone" but ${columns.length} others; columns are separated by commas`);
    }
    const unknown = columns.filter((column) => !COLUMNS.includes(column));
    if (unknown.length > 0) throw new Error(`unknown columns: ${unknown.join(', ')}`);
    return found.map(({ record, info }) => ({ record, line: info.lines }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if ((error as NodeJS.ErrnoException).syscall) throw new CliError('INVALID_FILE', `${path} cannot be read: ${reason}`, { cause: error });
    throw new CliError('INVALID_FILE', `${path} is not used (${reason}). The first line names the columns: ${COLUMNS.join(', ')}.`, {
      cause: error,
    });
  }
}

/** @returns what to write down, or what is wrong with the row */
function readRow({ recipient, phone, sender, category, at, reason }: Row, senders: readonly Sender[], nowMs: number) {
  const person = readRecipient(recipient || phone || '');
  if (person === null) return RECIPIENT_PROBLEM;
  const from = sender ? senders.filter(({ alias, address }) => alias === sender || address === sender) : senders;
  if (from.length === 0) return 'sender is none of ours: write its alias, or leave it empty for all';
  const kind = category?.toLowerCase() || 'all';
  if (kind !== 'all' && kind !== 'marketing') return 'category must be all or marketing';
  if (at && (!TIME.test(at) || Number.isNaN(Date.parse(at)))) return 'at must be a date, or a time with its offset (2026-01-31T10:00:00Z)';
  if (at && Date.parse(at) > nowMs + AHEAD_MS_MAX) return 'at is in the future';
  const said = { recipient: person, category: kind, suppressed: true, source: 'import' } as const;
  const time = at ? new Date(at).toISOString() : null;
  return from.map(({ address }): SuppressionEvent => ({ ...said, senderAddress: address, at: time, reason: reason || null }));
}

export const RECIPIENT_PROBLEM = 'recipient must be +<country code and number>, or whatsapp:<CC>.<user id>';

/** A number may be written with blanks, hyphens and the like, as people and other systems do. */
export function readRecipient(text: string): string | null {
  return normalizeRecipient(/^(whatsapp:)?\+/.test(text) ? text.replaceAll(/[\s().\-/\u00A0]/g, '') : text);
}
