import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createFailpoints } from './failpoints.ts';

let folder = '';
const children: ChildProcess[] = [];

/** A test that fails leaves no process behind. */
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickmark-failpoints-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('without a specification every line is passed', async () => {
  const passed = [undefined, '', ' , '].map((spec) => createFailpoints(spec).reach('after-post'));
  expect(await Promise.all(passed)).toEqual([undefined, undefined, undefined]);
});

test('lines that are not named are passed', async () => {
  expect(await createFailpoints('after-post').reach('before-post')).toBeUndefined();
});

test('earlier and later hits than the named one are passed', async () => {
  const failpoints = createFailpoints('after-post:3');
  expect(await Promise.all([failpoints.reach('after-post'), failpoints.reach('after-post')])).toEqual([undefined, undefined]);
});

describe('a process', () => {
  test('stops at the nth hit of the named line, says so, and stays until it is killed', async () => {
    const script = join(folder, 'stop.mjs');
    await writeFile(
      script,
      `import { createFailpoints } from ${JSON.stringify(new URL('failpoints.ts', import.meta.url).href)};
       const failpoints = createFailpoints('before-post,after-post:2', { warn: (fields, line) => process.send({ line, ...fields }) });
       await failpoints.reach('after-post');
       process.send('passed');
       await failpoints.reach('after-post');
       process.send('passed again');`,
    );
    const child = fork(script, { execArgv: ['--import', 'tsx'] });
    children.push(child);
    const messages: unknown[] = [];
    child.on('message', (message) => {
      messages.push(message);
      if (typeof message === 'object' && message !== null && !('line' in message)) child.kill('SIGKILL');
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(messages).toEqual(['passed', { line: 'stopped at a failpoint', failpoint: 'after-post' }, { failpoint: 'after-post' }]);
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

test('a process that has nothing else to do stays alive at a failpoint', async () => {
  const script = join(folder, 'alive.mjs');
  await writeFile(
    script,
    `import { createFailpoints } from ${JSON.stringify(new URL('failpoints.ts', import.meta.url).href)};
     void createFailpoints('after-claim').reach('after-claim');
     // Keeps nothing alive itself.
     setTimeout(() => console.log('still here'), 20).unref();`,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    child.kill('SIGKILL');
  }
  expect(output).toBe('still here\n');
});

test.each(['after-pots', 'after-post:0', 'after-post:x', 'after-post:1:2', ':2'])(
  'an entry like %s is refused with the names there are',
  (entry) => {
    expect(() => createFailpoints(`after-claim,${entry}`)).toThrow(
      `"${entry}" names no failpoint: write name[:nth] with one of after-claim, before-post`,
    );
  },
);

test('all wrong entries are named at once', () => {
  expect(() => createFailpoints('nowhere,after-post,elsewhere')).toThrow('"nowhere", "elsewhere" names no failpoint');
});
