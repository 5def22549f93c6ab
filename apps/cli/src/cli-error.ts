/** A command could not do its work. The message says what to do next; it is all that the user sees. */
export class CliError extends Error {
  /** For `--json`: the API's own code where there is one. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'CliError';
    this.code = code;
  }
}
