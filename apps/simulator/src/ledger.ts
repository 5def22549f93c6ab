import { parseForm } from '@tickmark/twilio';
import { createCallbackLog, type CallbackRow } from './callback-log.ts';

/** One create call as the simulated Twilio saw it. */
export interface CreateRow {
  /** Null when no message was created. */
  sid: string | null;
  /** Our message id and attempt, from the StatusCallback's query. */
  m: string | null;
  a: number | null;
  to: string | null;
  from: string | null;
  /** When the request came in; milliseconds since 1970. */
  at: number;
  outcome: 'created' | 'refused' | 'created-answer-lost';
  /** Null when nothing was answered. */
  httpStatus: number | null;
  /** The body as received. */
  rawForm: string | null;
}

export interface LedgerFilter {
  m?: string | undefined;
  to?: string | undefined;
  /** Milliseconds since 1970. */
  since?: number | undefined;
}

/** Everything that came in and went out, for those who compare it with what they believe. */
export interface Ledger {
  recordCreate(row: CreateRow): void;
  recordCallback(row: CallbackRow): void;
  /** The ledger as pieces of one JSON text, because a million rows do not fit into one string. */
  read(filter: LedgerFilter): Iterable<string>;
  clear(): void;
  /** Rows that were dropped because there were too many. */
  dropped(): number;
}

export interface LedgerBounds {
  createsMax: number;
  callbacksMax: number;
  /** Characters of all forms together; the oldest forms go first, their rows stay. */
  formCharactersMax: number;
}

/** Some 250 bytes a create besides its form, 24 a callback. */
const BOUNDS: LedgerBounds = { createsMax: 1_000_000, callbacksMax: 4_000_000, formCharactersMax: 268_435_456 };

export function createLedger(bounds: LedgerBounds = BOUNDS): Ledger {
  let creates: CreateRow[] = [];
  /** Index of the first row that is still kept, and of the first that still has its form. */
  let firstRow = 0;
  let firstForm = 0;
  let formCharacters = 0;
  let droppedCreates = 0;
  const callbacks = createCallbackLog(bounds.callbacksMax);

  const dropForm = () => {
    const row = creates[firstForm++];
    if (!row) return;
    formCharacters -= row.rawForm?.length ?? 0;
    row.rawForm = null;
  };
  const enforceBounds = () => {
    while (formCharacters > bounds.formCharactersMax && firstForm < creates.length) dropForm();
    if (creates.length - firstRow <= bounds.createsMax) return;
    if (firstForm === firstRow) dropForm();
    firstRow++;
    droppedCreates++;
    if (firstRow <= bounds.createsMax / 4) return;
    creates = creates.slice(firstRow);
    firstForm -= firstRow;
    firstRow = 0;
  };

  return {
    recordCreate: (row) => {
      creates.push(row);
      formCharacters += row.rawForm?.length ?? 0;
      enforceBounds();
    },
    recordCallback: (row) => callbacks.add(row),
    read: function* (filter) {
      const matches = rowFilter(filter);
      const sids = filter.m === undefined && filter.to === undefined ? null : new Set<string>();
      yield '{"creates":[';
      let comma = '';
      for (let index = firstRow; index < creates.length; index++) {
        const row = creates[index];
        if (!row || !matches(row)) continue;
        if (row.sid !== null) sids?.add(row.sid);
        if (filter.since !== undefined && row.at < filter.since) continue;
        yield comma + JSON.stringify(toJson(row));
        comma = ',';
      }
      yield '],"callbacks":[';
      comma = '';
      for (const row of callbacks.rows(filter.since ?? -Infinity, sids)) {
        yield comma + JSON.stringify({ ...row, at: new Date(row.at).toISOString() });
        comma = ',';
      }
      yield ']}';
    },
    clear: () => {
      creates = [];
      firstRow = firstForm = formCharacters = droppedCreates = 0;
      callbacks.clear();
    },
    dropped: () => droppedCreates + callbacks.dropped(),
  };
}

function rowFilter({ m, to }: LedgerFilter): (row: CreateRow) => boolean {
  return (row) => (m === undefined || row.m === m) && (to === undefined || row.to === to);
}

function toJson({ rawForm, at, ...row }: CreateRow): Record<string, unknown> {
  return { ...row, at: new Date(at).toISOString(), form: rawForm === null ? null : { ...parseForm(rawForm) } };
}
