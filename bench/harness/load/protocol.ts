/** What the bench and its load generator tell each other. Times are of `performance.timeOrigin + performance.now()`, one clock for both. */
export interface LoadOrder {
  port: number;
  /** The requests of the file to send, each once; `to` is not among them. */
  from: number;
  to: number;
  connections: number;
  /** No request begins after this; those under way are waited for. */
  forMs: number;
}

export interface LoadResult {
  startedAtMs: number;
  endedAtMs: number;
  /** Requests that were sent: `from` to `from + sent`. */
  sent: number;
  /** HTTP status per request sent, 0 = the connection ended without one. */
  statuses: Uint16Array;
  latencyMs: { p50: number; p99: number };
  /** Share of one core that the generator used: near 1 it is the generator that was measured. */
  busy: number;
}

/** Requests lie one behind the other in a file, ends beside them: both processes need them, and millions of objects would slow the generator. */
export interface RequestFile {
  requests: string;
  /** A Uint32Array: where each request ends. */
  ends: string;
}

export type ToGenerator = { type: 'open'; file: RequestFile } | { type: 'run'; order: LoadOrder };
export type FromGenerator = { type: 'ready' } | { type: 'result'; result: LoadResult };
