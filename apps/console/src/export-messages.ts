import { Readable } from 'node:stream';
import type { MessagePage, MessagePosition, MessageSummary } from '@tickmark/delivery';

/** What lists may be streamed as. */
export const EXPORT_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;
export type ExportFormat = keyof typeof EXPORT_TYPES;

export const EXPORT_PAGE_ITEMS = 500;

/** The format that the header Accept asks for; null = JSON, in pages. Of several the one with the highest q, else the first. */
export function chooseExportFormat(accept = ''): ExportFormat | null {
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: q === undefined ? 1 : Number(q.slice(2)) || 0 };
  });
  const known = ranges.filter(({ type, quality }) => quality > 0 && (type === 'application/json' || FORMATS.has(type)));
  const [best] = known.toSorted((a, b) => b.quality - a.quality);
  return FORMATS.get(best?.type ?? '') ?? null;
}

const FORMATS: ReadonlyMap<string, ExportFormat> = new Map([
  [EXPORT_TYPES.csv, 'csv'],
  [EXPORT_TYPES.ndjson, 'ndjson'],
]);

/**
 * Every message from `first` on, page after page. A page is read when the reader has taken the one before: however many there are, two
 * pages are in memory, and nothing is read any more once the stream is destroyed.
 */
export function exportMessages(format: ExportFormat, first: MessagePage, read: (after: MessagePosition) => Promise<MessagePage>): Readable {
  return Readable.from(writePages(format, first, read), { objectMode: true, highWaterMark: 1 });
}

async function* writePages(format: ExportFormat, first: MessagePage, read: (after: MessagePosition) => Promise<MessagePage>) {
  if (format === 'csv') yield toCsvLine(COLUMNS.map(([name]) => name));
  for (let page: MessagePage | null = first; page !== null; page = page.next && (await read(page.next))) {
    if (page.items.length > 0) yield page.items.map(format === 'csv' ? toCsv : toNdjson).join('');
  }
}

function toNdjson(item: MessageSummary): string {
  return `${JSON.stringify(item)}\n`;
}

function toCsv(item: MessageSummary): string {
  return toCsvLine(COLUMNS.map(([, read]) => read(item)));
}

type Cell = string | number | boolean | null | undefined;

const plain = (name: Exclude<keyof MessageSummary, 'error' | 'metadata'>): [string, (item: MessageSummary) => Cell] => [
  name,
  (item) => item[name],
];

/** The fields of a message in the order of its JSON; of the error what says which and why. */
const COLUMNS: readonly [name: string, read: (item: MessageSummary) => Cell][] = [
  ...(['id', 'status', 'messageSid', 'sender', 'from', 'to', 'producer', 'origin', 'campaign', 'priority', 'onUnknown'] as const).map(
    plain,
  ),
  ...(['attempts', 'errorCode'] as const).map(plain),
  ['errorClass', ({ error }) => error?.class],
  ['errorMeaning', ({ error }) => error?.meaning],
  ...(
    ['contradicted', 'createdAt', 'sendAt', 'queuedAt', 'sentAt', 'deliveredAt', 'readAt', 'failedAt', 'retryOf', 'retriedBy'] as const
  ).map(plain),
  ['metadata', ({ metadata }) => (metadata === null ? null : JSON.stringify(metadata))],
];

function toCsvLine(cells: readonly Cell[]): string {
  return `${cells.map(toCsvCell).join(',')}\r\n`;
}

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it a text there. */
function toCsvCell(cell: Cell): string {
  const text = typeof cell === 'string' && /^[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : String(cell ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
