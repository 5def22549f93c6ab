import { jsonAnswer, type Answer } from './answer.ts';
import type { MessageStore, SimulatedMessage } from './message-store.ts';
import { API_VERSION, toResource } from './resource.ts';

const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MAX = 1000;
/** A page's token names the last message of the page before: what comes after it are the older ones, whatever is created meanwhile. */
const TOKEN_PREFIX = 'PA';
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

/**
 * Twilio's list: newest first, filtered by To, From and DateSent, in pages. The date filters are inclusive, in GMT, by day or by moment;
 * a message that was not sent yet has no date and passes none of them.
 */
export function listMessages(query: URLSearchParams, store: MessageStore, accountSid: string): Answer {
  const pageSize = Math.min(positiveInteger(query.get('PageSize')) ?? PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
  const page = Math.max(0, Number.parseInt(query.get('Page') ?? '0', 10) || 0);
  const token = query.get('PageToken');
  const rows = collect(query, store, {
    olderThan: token === null ? undefined : token.replace(TOKEN_PREFIX, ''),
    skip: token === null ? page * pageSize : 0,
    // One more than the page tells whether another page follows.
    take: pageSize + 1,
  });
  const messages = rows.slice(0, pageSize);
  const uriOf = (number: number, pageToken: string | null) => pageUri(query, accountSid, { pageSize, number, pageToken });
  const last = messages.at(-1);
  const start = page * pageSize;
  return jsonAnswer(200, {
    first_page_uri: uriOf(0, null),
    end: start + Math.max(0, messages.length - 1),
    next_page_uri: last && rows.length > pageSize ? uriOf(page + 1, TOKEN_PREFIX + last.sid) : null,
    page,
    page_size: pageSize,
    previous_page_uri: page > 0 ? uriOf(page - 1, null) : null,
    messages: messages.map((message) => toResource(message, accountSid)),
    start,
    uri: uriOf(page, token),
  });
}

function collect(
  query: URLSearchParams,
  store: MessageStore,
  { olderThan, skip, take }: { olderThan: string | undefined; skip: number; take: number },
): SimulatedMessage[] {
  const fits = messageFilter(query);
  const rows: SimulatedMessage[] = [];
  let skipped = 0;
  for (const message of store.newestFirst(olderThan)) {
    if (!fits(message)) continue;
    if (skipped++ < skip) continue;
    rows.push(message);
    if (rows.length === take) break;
  }
  return rows;
}

function messageFilter(query: URLSearchParams): (message: SimulatedMessage) => boolean {
  const to = query.get('To');
  const from = query.get('From');
  const on = readPeriod(query.get('DateSent'));
  const until = readPeriod(query.get('DateSent<'));
  const since = readPeriod(query.get('DateSent>'));
  return (message) => {
    if ((to !== null && message.to !== to) || (from !== null && message.from !== from)) return false;
    if (!on && !until && !since) return true;
    if (message.sentAt === null) return false;
    // The resource tells whole seconds, so filters go by them too.
    const sentAt = Math.floor(message.sentAt / 1000) * 1000;
    return (!on || (sentAt >= on.first && sentAt <= on.last)) && (!until || sentAt <= until.last) && (!since || sentAt >= since.first);
  };
}

/** A day is a period, a moment is one second; a text that is neither filters nothing. */
function readPeriod(text: string | null): { first: number; last: number } | null {
  if (text === null) return null;
  const hasZone = /(Z|GMT|UTC|[A-Z]{3}|[+-]\d{2}:?\d{2})$/i.test(text);
  const first = Date.parse(DAY.test(text) || hasZone ? text : `${text.replace(' ', 'T')}Z`);
  if (Number.isNaN(first)) return null;
  return DAY.test(text) ? { first, last: first + DAY_MS - 1 } : { first: Math.floor(first / 1000) * 1000, last: first };
}

function pageUri(
  query: URLSearchParams,
  accountSid: string,
  { pageSize, number, pageToken }: { pageSize: number; number: number; pageToken: string | null },
): string {
  const params = new URLSearchParams();
  for (const name of ['To', 'From', 'DateSent', 'DateSent<', 'DateSent>']) {
    const value = query.get(name);
    if (value !== null) params.set(name, value);
  }
  params.set('PageSize', String(pageSize));
  params.set('Page', String(number));
  if (pageToken !== null) params.set('PageToken', pageToken);
  return `/${API_VERSION}/Accounts/${accountSid}/Messages.json?${params.toString()}`;
}

function positiveInteger(text: string | null): number | null {
  return text !== null && /^[1-9]\d*$/.test(text) ? Number(text) : null;
}
