import { ConfigError, loadConfig } from '@tickmark/runtime';
import { z } from 'zod';
import type { CliContext } from './cli-context.ts';
import { CliError } from './cli-error.ts';
import { followTask } from './follow-task.ts';

/** Where `npm run console` listens when nothing else is said. */
const CONSOLE_URL_DEFAULT = 'http://127.0.0.1:3001';

/** A person waits: an answer that takes longer is as good as none. */
const ANSWER_TIMEOUT_MS = 15_000;

const errorEnvelope = z.looseObject({
  error: z.looseObject({
    code: z.string(),
    message: z.string(),
    details: z
      .array(z.looseObject({ path: z.string(), message: z.string() }))
      .optional()
      .catch(undefined),
  }),
});

/**
 * Asks the console that TICKMARK_CONSOLE_URL names, with the key TICKMARK_API_KEY.
 *
 * @param path begins with a slash
 * @throws CliError for anything but a 200 with JSON, each saying what to do next
 */
export function getFromConsole(env: NodeJS.ProcessEnv, path: string): Promise<unknown> {
  return askConsole(env, { path, scope: 'read' });
}

/**
 * Has the console do something, as JSON.
 *
 * @throws CliError for anything but a 200 or 202 with JSON, each saying what to do next
 */
export function postToConsole(env: NodeJS.ProcessEnv, path: string, body: unknown): Promise<unknown> {
  return askConsole(env, { path, body, scope: 'admin' });
}

const taskSchema = z.looseObject({
  state: z.string(),
  progress: z.record(z.string(), z.unknown()),
  result: z.unknown(),
  error: z.string().nullable(),
});

/** Waits for a task that the console was asked for. @returns its result @throws as {@link followTask} */
export function followConsoleTask(context: CliContext, taskId: string): Promise<unknown> {
  return followTask(context, { taskId, look: async () => taskSchema.parse(await getFromConsole(context.env, `/v1/tasks/${taskId}`)) });
}

interface ConsoleRequest {
  path: string;
  /** Posted when it is given. */
  body?: unknown;
  scope: string;
}

async function askConsole(env: NodeJS.ProcessEnv, asked: ConsoleRequest): Promise<unknown> {
  const config = loadConfig(['TICKMARK_CONSOLE_URL', 'TICKMARK_API_KEY'], { env });
  const url = config.TICKMARK_CONSOLE_URL ?? CONSOLE_URL_DEFAULT;
  const key = config.TICKMARK_API_KEY?.reveal();
  if (!key) throw new ConfigError([`TICKMARK_API_KEY is missing: set it to a key that has the scope ${asked.scope} at the console`]);
  const response = await request(asked, key, url);
  const body = await readJson(response, url);
  if (response.status !== 200 && response.status !== 202) throw refusal(response.status, body, url);
  return body;
}

async function request({ path, body }: ConsoleRequest, key: string, url: string): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, {
      headers: {
        authorization: `Bearer ${key}`,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch (error) {
    const message = `No console answered at ${url}. Start one with npm run console, or point TICKMARK_CONSOLE_URL at the one that runs.`;
    throw new CliError('CONSOLE_UNREACHABLE', message, { cause: error });
  }
}

async function readJson(response: Response, url: string): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    const message = `What answers at ${url} is not a console (HTTP ${response.status}, no JSON). Check TICKMARK_CONSOLE_URL.`;
    throw new CliError('NO_CONSOLE', message, { cause: error });
  }
}

function refusal(status: number, body: unknown, url: string): CliError {
  const parsed = errorEnvelope.safeParse(body);
  if (!parsed.success)
    return new CliError('NO_CONSOLE', `What answers at ${url} is not a console (HTTP ${status}). Check TICKMARK_CONSOLE_URL.`);
  const { code, message, details = [] } = parsed.data.error;
  const hint = code === 'UNAUTHENTICATED' || code === 'FORBIDDEN_SCOPE' ? ' Check TICKMARK_API_KEY.' : '';
  const problems = details.map(({ path, message: problem }) => `\n  ${path}: ${problem}`);
  return new CliError(code, [message, hint, ...problems].join(''));
}
