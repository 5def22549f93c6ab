/** The answer to one item of a batch: its value, or the error that concerns it alone. */
export type Settled<R> = { ok: true; value: R } | { ok: false; error: unknown };
