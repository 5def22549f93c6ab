import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createShutdown } from './shutdown.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickmark-shutdown-'));
});
afterAll(() => rm(folder, { recursive: true }));

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined };

let scripts = 0;
const children: ChildProcess[] = [];

/** A test that fails leaves no process behind. */
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Runs a process with these phases (source text) and tells what it wrote and how it ended. */
async function startProcess(phases: string, extra = '', before = '') {
  const script = join(folder, `${(scripts += 1)}.mjs`);
  const importOf = (name: string, file: string) => `import { ${name} } from ${JSON.stringify(new URL(file, import.meta.url).href)};`;
  await writeFile(
    script,
    `${importOf('createShutdown', 'shutdown.ts')} ${importOf('createLogger', 'logger.ts')}
     const log = createLogger({ process: 'test' });
     const never = () => new Promise(() => undefined);
     const say = (word) => () => log.info({}, word);
     setInterval(() => undefined, 60_000);
     ${before}
     const shutdown = createShutdown({ log, phases: [${phases}], ${extra} });
     process.on('message', (message) => eval(message));
     if (process.connected) process.send('ready');`,
  );
  const child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  children.push(child);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // Not the child's own `close`: it never comes once the parent has disconnected.
  const exited = Promise.all([once(child, 'exit'), once(child.stdout!, 'close')]).then(([[code, signal]]) => ({
    code: code as number | null,
    signal: signal as string | null,
    lines: parse(output),
  }));
  await once(child, 'message');
  const logged = async (sentence: string) => {
    while (!output.includes(`"msg":"${sentence}"`))
      await Promise.race([once(child.stdout!, 'data'), exited.then(() => Promise.reject(new Error(output)))]);
  };
  return { child, exited, logged };
}

function parse(output: string) {
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string; level: string; phase?: string; err?: { message: string } });
}

describe('a process', () => {
  test('runs its phases one after the other on SIGTERM and exits with 0', async () => {
    const { child, exited } = await startProcess(`
      { name: 'one', deadlineMs: 5000, run: async () => { await new Promise((resolve) => setTimeout(resolve, 30)); say('one')(); } },
      { name: 'two', deadlineMs: 5000, run: say('two') }`);
    child.kill('SIGTERM');
    const { code, lines } = await exited;
    expect(code).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual([
      'shutting down',
      'one',
      'shutdown phase ended',
      'two',
      'shutdown phase ended',
      'shut down',
    ]);
  });

  test('is not hurried and not stopped by a second SIGTERM or a SIGINT', async () => {
    const { child, exited, logged } = await startProcess(`
      { name: 'one', deadlineMs: 30000, run: () => new Promise((resolve) => {
        globalThis.go = resolve;
        process.on('SIGINT', say('a further signal'));
        say('waiting')();
      }) },
      { name: 'two', deadlineMs: 5000, run: say('two') }`);
    child.kill('SIGTERM');
    await logged('waiting');
    child.kill('SIGTERM');
    child.kill('SIGINT');
    await logged('a further signal');
    child.send('go()');
    const { code, lines } = await exited;
    expect(code).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual([
      'shutting down',
      'waiting',
      'a further signal',
      'shutdown phase ended',
      'two',
      'shutdown phase ended',
      'shut down',
    ]);
  });

  test('goes on behind phases that hang, throw or reject, and exits with 1', async () => {
    const { child, exited } = await startProcess(`
      { name: 'hangs', deadlineMs: 30, run: never },
      { name: 'throws', deadlineMs: 5000, run: () => { throw new Error('thrown'); } },
      { name: 'rejects', deadlineMs: 5000, run: async () => { throw new Error('rejected'); } },
      { name: 'last', deadlineMs: 5000, run: say('last') }`);
    child.kill('SIGTERM');
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines.map(({ msg, phase, err }) => [msg, phase, err?.message].filter(Boolean).join(' | '))).toEqual([
      'shutting down',
      'shutdown phase did not end in time | hangs',
      'shutdown phase failed | throws | thrown',
      'shutdown phase failed | rejects | rejected',
      'last',
      'shutdown phase ended | last',
      'shut down',
    ]);
  });

  test('is ended by the watchdog when its phases cannot keep their deadlines', async () => {
    const { child, exited } = await startProcess(
      `{ name: 'blocks', deadlineMs: 10, run: () => { const endMs = Date.now() + 300; while (Date.now() < endMs); } },
       { name: 'hangs', deadlineMs: 100, run: never }, { name: 'never reached', deadlineMs: 10, run: say('reached') }`,
      'watchdogMs: 200',
    );
    child.kill('SIGTERM');
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatchObject({ level: 'fatal', msg: 'the shutdown did not end in time and is cut off' });
    expect(lines.map(({ msg }) => msg)).not.toContain('reached');
  });

  test('shuts down when the parent that forked it goes away', async () => {
    const { child, exited } = await startProcess(`{ name: 'one', deadlineMs: 5000, run: say('one') }`);
    child.disconnect();
    const { code, lines } = await exited;
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({ msg: 'shutting down', reason: 'the parent went away' });
    expect(lines.map(({ msg }) => msg)).toContain('one');
  });

  test('shuts down when its parent went away while it was still starting', async () => {
    const { child, exited } = await startProcess(
      `{ name: 'one', deadlineMs: 5000, run: say('one') }`,
      '',
      `process.send('ready'); while (process.connected) await new Promise(setImmediate);`,
    );
    child.disconnect();
    const { code, lines } = await exited;
    expect(code).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual(['shutting down', 'one', 'shutdown phase ended', 'shut down']);
  });

  test.each([
    ['an exception', `setTimeout(() => { throw new Error('unforeseen'); })`],
    ['a rejection', `void Promise.reject(new Error('unforeseen'))`],
  ])('logs %s that nobody caught, shuts down in order and exits with 1', async (_what, source) => {
    const { child, exited } = await startProcess(`{ name: 'one', deadlineMs: 5000, run: say('one') }`);
    child.send(source);
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines[0]).toMatchObject({ level: 'fatal', err: { message: 'unforeseen' } });
    expect(lines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['one', 'shut down']));
  });

  test('keeps the worse exit code of an error that comes during its shutdown', async () => {
    const { child, exited } = await startProcess(
      `{ name: 'one', deadlineMs: 5000, run: () => new Promise((resolve) => { setTimeout(() => { setImmediate(resolve); throw new Error('unforeseen'); }); }) }`,
    );
    child.kill('SIGTERM');
    expect(await exited).toMatchObject({ code: 1, signal: null });
  });

  test('tells its own code whether a shutdown has begun', async () => {
    const { child, exited } = await startProcess(`{ name: 'one', deadlineMs: 5000, run: () => say('begun ' + shutdown.begun)() }`);
    child.send(`say('begun ' + shutdown.begun)(); void shutdown.begin('asked for')`);
    const { lines } = await exited;
    expect(lines.map(({ msg }) => msg)).toEqual(['begun false', 'shutting down', 'begun true', 'shutdown phase ended', 'shut down']);
  });
});

test('a watchdog that would fire before the phases had their time is refused', () => {
  const phases = [
    { name: 'one', deadlineMs: 100, run: () => undefined },
    { name: 'two', deadlineMs: 100, run: () => undefined },
  ];
  expect(() => createShutdown({ log: SILENT, phases, watchdogMs: 200 })).toThrow(
    'the watchdog (200 ms) must be later than all phases (200 ms)',
  );
});
