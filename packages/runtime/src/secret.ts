/** A value that must not be seen: prints as `[redacted]` wherever a string, JSON or an inspection of it is asked for. */
export class Secret {
  readonly #reveal: () => string;

  constructor(value: string | (() => string)) {
    this.#reveal = typeof value === 'string' ? () => value : value;
  }

  /** The value itself, now: one that came from a file is read again within 5 s of a change, so call this at each use. */
  reveal(): string {
    return this.#reveal();
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}
