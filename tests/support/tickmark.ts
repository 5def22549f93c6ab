import { expect } from 'vitest';
import { runCli } from '../../apps/cli/src/run-cli.ts';
import type { Pipeline } from './pipeline.ts';

/** Runs the operator's command on the pipeline's database. @returns its answer, and when it was there */
export async function tickmark(pipeline: Pipeline, ...args: string[]): Promise<{ answer: Record<string, unknown>; atMs: number }> {
  let out = '';
  let complaints = '';
  const code = await runCli([...args, '--reason', 'a test', '--json'], {
    env: pipeline.env,
    writeOut: (text) => (out += text),
    writeError: (text) => (complaints += text),
  });
  const atMs = Date.now();
  expect({ code, complaints }).toMatchObject({ code: 0 });
  return { answer: JSON.parse(out) as Record<string, unknown>, atMs };
}
