import { execFileSync } from 'node:child_process';

/** The oldest Redis that the project runs on. */
export const REDIS_MAJOR_MIN = 7;
export const REDIS_PROGRAM_NAMES = ['redis-server', 'valkey-server'];

export interface RedisProgram {
  /** The command that runs a server with these settings on the port, its data in the folder. */
  command(settings: string[], folder: string, port: number): { program: string; args: string[]; env?: Record<string, string> };
  /** Ends what the command's own end may leave behind. */
  cleanUp?(port: number): void;
}

/** Whether the file is a Redis or Valkey that runs here and is of a version that we support. */
export function isUsableRedis(program: string, env: Record<string, string> = {}): boolean {
  try {
    const text = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number(/v=(\d+)/.exec(text)?.[1]) >= REDIS_MAJOR_MIN;
  } catch {
    return false;
  }
}
