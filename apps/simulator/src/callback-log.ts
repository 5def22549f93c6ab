/** One status callback, with all its tries. */
export interface CallbackRow {
  sid: string;
  status: string;
  /** When it was first sent, milliseconds since 1970. */
  at: number;
  /** Of the last answer; null when there was none. */
  httpStatus: number | null;
  /** Requests made; 0 = lost on purpose, never sent. */
  tries: number;
}

/** Callbacks in columns, because there are three or four for every message: 24 bytes a row instead of 130. */
export interface CallbackLog {
  add(row: CallbackRow): void;
  /** Oldest first; with a set, only callbacks of these sids. */
  rows(sinceMs: number, sids: ReadonlySet<string> | null): Iterable<CallbackRow>;
  clear(): void;
  dropped(): number;
}

const CHUNK_ROWS = 65_536;

interface Chunk {
  length: number;
  sids: string[];
  at: Float64Array;
  statuses: Uint16Array;
  httpStatuses: Uint16Array;
  tries: Uint8Array;
}

/** Keeps the newest `rowsMax` rows, in whole chunks: up to 65,536 more. */
export function createCallbackLog(rowsMax: number): CallbackLog {
  const words: string[] = [];
  const numberOf = new Map<string, number>();
  let chunks: Chunk[] = [];
  let rowCount = 0;
  let droppedRows = 0;

  const wordNumber = (word: string): number => {
    const known = numberOf.get(word);
    if (known !== undefined) return known;
    numberOf.set(word, words.length);
    return words.push(word) - 1;
  };
  const openChunk = (): Chunk => {
    const last = chunks.at(-1);
    if (last && last.length < CHUNK_ROWS) return last;
    const chunk: Chunk = {
      length: 0,
      sids: [],
      at: new Float64Array(CHUNK_ROWS),
      statuses: new Uint16Array(CHUNK_ROWS),
      httpStatuses: new Uint16Array(CHUNK_ROWS),
      tries: new Uint8Array(CHUNK_ROWS),
    };
    chunks.push(chunk);
    return chunk;
  };
  const dropOldestChunk = () => {
    const oldest = chunks[0]?.length ?? 0;
    if (rowCount - oldest < rowsMax) return;
    chunks.shift();
    rowCount -= oldest;
    droppedRows += oldest;
  };

  return {
    add: ({ sid, status, at, httpStatus, tries }) => {
      const chunk = openChunk();
      const index = chunk.length++;
      chunk.sids.push(sid);
      chunk.at[index] = at;
      chunk.statuses[index] = wordNumber(status);
      chunk.httpStatuses[index] = httpStatus ?? 0;
      chunk.tries[index] = tries;
      rowCount++;
      dropOldestChunk();
    },
    rows: function* (sinceMs, sids) {
      for (const chunk of chunks) {
        for (let index = 0; index < chunk.length; index++) {
          const sid = chunk.sids[index] ?? '';
          const at = chunk.at[index] ?? 0;
          if (at < sinceMs || (sids && !sids.has(sid))) continue;
          const httpStatus = chunk.httpStatuses[index] || null;
          yield { sid, status: words[chunk.statuses[index] ?? 0] ?? '', at, httpStatus, tries: chunk.tries[index] ?? 0 };
        }
      }
    },
    clear: () => {
      chunks = [];
      rowCount = 0;
      droppedRows = 0;
    },
    dropped: () => droppedRows,
  };
}
