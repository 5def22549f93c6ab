/** What a command knows of the world. Data goes to `writeOut`, progress and errors to `writeError`. */
export interface CliContext {
  env: NodeJS.ProcessEnv;
  writeOut: (text: string) => unknown;
  writeError: (text: string) => unknown;
}
