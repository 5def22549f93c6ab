import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { captureLogger, testFolder } from '@tickmark/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeadlineExceededError } from '../deadline.ts';
import { createFailpoints } from '../failpoints.ts';
import { createMetrics } from '../metrics.ts';
import { openSpool, SpoolFullError, type Spool, type SpoolOptions } from './spool.ts';
import { markOf } from './spool-owner.ts';
import { openOnDisk, type OpenFile } from './spool-segment.ts';

type Kind = 'status' | 'inbound';

let dir: string;
let spools: Spool<Kind>[] = [];
let delivered: unknown[] = [];
let batches: { kind: Kind; items: number }[] = [];
let logger = captureLogger();
beforeEach(() => {
  dir = testFolder();
  logger = captureLogger();
  [delivered, batches] = [[], []];
});
afterEach(async () => {
  await Promise.all(spools.map((spool) => spool.close()));
  spools = [];
});

async function open(options: Partial<SpoolOptions<Kind>> = {}): Promise<Spool<Kind>> {
  const spool = await openSpool<Kind>({
    dir,
    bytesMax: 1_000_000,
    deliver: async (kind, items) => {
      delivered.push(...items);
      batches.push({ kind, items: items.length });
    },
    failpoints: createFailpoints(undefined),
    metrics: createMetrics({ process: 'ingress' }),
    log: logger.log,
    ...options,
  });
  spools.push(spool);
  return spool;
}

const GONE = '0123456789ab';

const status = (item: unknown) => ({ kind: 'status' as const, item });
const segments = async () =>
  (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.seg')).map((name) => join(dir, name));
const onlySegment = async () => (await segments())[0] ?? '';

/** A folder as a process leaves it that was killed: its pid is not in use any more. */
async function leaveBehind(lines: string): Promise<void> {
  const child = spawn(process.execPath, ['--version']);
  const mark = markOf(child.pid ?? 0);
  await once(child, 'exit');
  await mkdir(join(dir, GONE));
  await writeFile(join(dir, GONE, 'owner.json'), JSON.stringify(mark));
  await writeFile(join(dir, GONE, '00000001.seg'), lines);
}

describe('what was appended', () => {
  it('is delivered once, in its order, by kind, and removed from the disk', async () => {
    const spool = await open();
    await Promise.all([1, 2, 3].map((n) => spool.append(status({ n }))));
    await spool.append({ kind: 'inbound', item: { text: 'ä\n"' } });
    expect(spool.waiting()).toBe(4);
    expect(await spool.drain()).toBe(4);
    expect(delivered).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { text: 'ä\n"' }]);
    expect(batches).toEqual([
      { kind: 'status', items: 3 },
      { kind: 'inbound', items: 1 },
    ]);
    expect([await spool.drain(), spool.waiting(), await segments()]).toEqual([0, 0, []]);
  });

  it('goes in deliveries of at most 500 items and 192 KiB', async () => {
    const spool = await open();
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => spool.append(status({ n }))));
    await Promise.all(Array.from({ length: 5 }, () => spool.append(status('x'.repeat(90_000)))));
    await spool.drain();
    expect(batches.map(({ items }) => items)).toEqual([500, 500, 202, 2, 1]);
  });

  it('stays when its delivery fails, and comes again', async () => {
    let isAway = true;
    const spool = await open({
      deliver: async (_kind, items) => {
        if (isAway) throw new Error('away');
        delivered.push(...items);
      },
    });
    await spool.append(status(1));
    await expect(spool.drain()).rejects.toThrow('away');
    await spool.append(status(2));
    isAway = false;
    expect(await spool.drain()).toBe(2);
    expect(delivered).toEqual([1, 2]);
  });

  it('is confirmed only when the disk has it: a disk that forgets what was not flushed loses nothing of it', async () => {
    const disk = forgetfulDisk();
    const spool = await open({ openFile: disk.openFile });
    const confirmed: number[] = [];
    const appending = Promise.all(Array.from({ length: 50 }, (_, n) => spool.append(status(n)).then(() => confirmed.push(n))));
    await appending;
    const [segment = ''] = await segments();
    await disk.loseUnflushed(segment);
    await rename(join(segment, '..'), join(dir, GONE));
    await writeFile(join(dir, GONE, 'owner.json'), JSON.stringify({ ...markOf(process.pid), startTicks: '1', bootId: 'another boot' }));
    await (await open()).drain();
    expect(delivered).toEqual(confirmed);
  });
});

describe('what a process left behind that is gone', () => {
  it('is taken over, and a half line at its end is put aside alone', async () => {
    const spool = await open();
    await spool.append(status('whole'));
    const line = await readFile(await onlySegment(), 'utf8');
    await spool.drain();
    delivered = [];
    await leaveBehind(`${line}${line.slice(0, 9)}{"torn`);
    const successor = await open();
    expect(successor.waiting()).toBe(1);
    expect(successor.takenOver()).toEqual([GONE]);
    expect(await successor.drain()).toBe(1);
    expect(delivered).toEqual(['whole']);
    expect(await readFile(join(dir, 'damaged', `${GONE}-00000001.seg`), 'utf8')).toContain('torn');
    await successor.forget(successor.takenOver());
    expect(successor.takenOver()).toEqual([]);
    expect(await readdir(dir)).not.toContain(GONE);
  });

  it('keeps nobody from starting when only half of its owner was written down', async () => {
    await leaveBehind('');
    await writeFile(join(dir, GONE, 'owner.json'), '{"pi');
    const spool = await open();
    expect(spool.takenOver()).toEqual([]);
    await utimes(join(dir, GONE), 0, 0);
    await spool.drain();
    expect(spool.takenOver()).toEqual([GONE]);
  });

  it('goes to one of many that try at once', async () => {
    const spool = await open();
    await spool.append(status('one'));
    const line = await readFile(await onlySegment(), 'utf8');
    await spool.drain();
    delivered = [];
    await leaveBehind(line);
    const successors = await Promise.all(Array.from({ length: 5 }, () => open()));
    await Promise.all(successors.map((successor) => successor.drain()));
    expect(delivered).toEqual(['one']);
  });

  it('is left alone while the process lives', async () => {
    const living = await open();
    await living.append(status(1));
    expect(await (await open()).drain()).toBe(0);
    expect(await living.drain()).toBe(1);
  });
});

it('a process that another one believed dead loses nothing: what is not read there is written anew', async () => {
  const spool = await open();
  await spool.append(status(1));
  await writeFile(join(dir, spool.instance, 'owner.json'), JSON.stringify({ ...markOf(process.pid), bootId: 'another boot' }));
  const heir = await open();
  expect(heir.takenOver()).toEqual([spool.instance]);
  await spool.append(status(2));
  await heir.forget(heir.takenOver());
  await spool.append(status(3));
  await Promise.all([heir.drain(), spool.drain()]);
  expect(new Set(delivered)).toEqual(new Set([1, 2, 3]));
});

it('a damaged line is put aside alone', async () => {
  const spool = await open();
  for (const n of [1, 2, 3]) await spool.append(status({ n }));
  const segment = await onlySegment();
  const content = await readFile(segment, 'utf8');
  await writeFile(segment, content.replace('{"n":2}', '{"n":7}'));
  expect(await spool.drain()).toBe(2);
  expect(delivered).toEqual([{ n: 1 }, { n: 3 }]);
  expect(logger.lines().filter(({ msg }) => String(msg).includes('damaged'))).toHaveLength(1);
});

it('a damaged line is put aside once, however often the others have to wait', async () => {
  let failures = 3;
  const spool = await open({ deliver: async () => (failures-- > 0 ? Promise.reject(new Error('redis is full')) : undefined) });
  await spool.append(status(1));
  await appendFile(await onlySegment(), 'torn\n');
  for (let time = 0; time < 3; time++) await expect(spool.drain()).rejects.toThrow('full');
  expect(await spool.drain()).toBe(1);
  const [file = ''] = await readdir(join(dir, 'damaged'));
  expect(await readFile(join(dir, 'damaged', file), 'utf8')).toBe('torn\n');
});

it('a full disk is not filled with files that hold nothing, and the process says why it takes nothing', async () => {
  let isFull = true;
  const openFile: OpenFile = async (path, flags) => {
    const file = await openOnDisk(path, flags);
    const append = file.appendFile.bind(file);
    return Object.assign(file, { appendFile: async (bytes: Buffer) => (isFull ? Promise.reject(new Error('ENOSPC')) : append(bytes)) });
  };
  const spool = await open({ openFile });
  for (let time = 0; time < 20; time++) await expect(spool.append(status(time))).rejects.toThrow('ENOSPC');
  expect(await segments()).toEqual([]);
  expect(spool.problem()).toContain('ENOSPC');
  isFull = false;
  await spool.append(status('kept'));
  expect(spool.problem()).toBeNull();
});

it('beyond its share of the disk nothing is taken, and again when there is room', async () => {
  const spool = await open({ bytesMax: 200 });
  await spool.append(status('x'.repeat(150)));
  await expect(spool.append(status('x'.repeat(150)))).rejects.toThrow(SpoolFullError);
  expect(spool.problem()).toContain('SPOOL_BYTES_MAX');
  expect(await spool.drain()).toBe(1);
  expect(spool.problem()).toBeNull();
  await spool.append(status('x'.repeat(150)));
});

it('after a write that failed half-way the next one stands on a line of its own', async () => {
  let fails = true;
  const openFile: OpenFile = async (path, flags) => {
    const file = await openOnDisk(path, flags);
    return Object.assign(file, {
      appendFile: async (bytes: Buffer) => {
        if (!fails) return appendFile(path, bytes);
        fails = false;
        await appendFile(path, bytes.subarray(0, 12));
        throw new Error('ENOSPC: no space left on device');
      },
    });
  };
  const spool = await open({ openFile });
  await expect(spool.append(status('lost'))).rejects.toThrow('ENOSPC');
  await spool.append(status('kept'));
  expect(await spool.drain()).toBe(1);
  expect(delivered).toEqual(['kept']);
});

it('a disk that hangs keeps nobody waiting, and is written to again when it goes on', async () => {
  let isHanging = true;
  let goOn = () => {};
  const goesOn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const openFile: OpenFile = async (path, flags) => {
    const file = await openOnDisk(path, flags);
    return Object.assign(file, {
      datasync: async () => {
        if (isHanging) await goesOn;
      },
    });
  };
  const spool = await open({ openFile });
  const answers = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => spool.append(status(n))));
  expect(answers.map((answer) => answer.status === 'rejected' && answer.reason instanceof DeadlineExceededError)).toEqual(
    Array(100).fill(true),
  );
  expect(spool.problem()).toContain('does not answer');
  isHanging = false;
  goOn();
  await spool.append(status('kept'));
  await spool.drain();
  // The first one was being written; the others had not been given to the disk, and never are.
  expect(delivered).toEqual([0, 'kept']);
});

it('other folders of the volume are left alone', async () => {
  await mkdir(join(dir, 'lost+found'));
  await utimes(join(dir, 'lost+found'), 0, 0);
  const spool = await open();
  expect(spool.takenOver()).toEqual([]);
  await spool.append(status(1));
  expect(await spool.drain()).toBe(1);
  expect(await readdir(dir)).toContain('lost+found');
});

it('a folder that cannot be written to is refused at the start', async () => {
  await writeFile(join(dir, 'file'), '');
  await expect(open({ dir: join(dir, 'file') })).rejects.toThrow(/SPOOL_DIR .* persistent volume/);
});

/** Keeps what is written in memory until it is flushed, as a machine does that may lose its power. */
function forgetfulDisk() {
  const flushedBytes = new Map<string, number>();
  const openFile: OpenFile = async (path, flags) => {
    const file = await openOnDisk(path, flags);
    return Object.assign(file, {
      datasync: async () => void flushedBytes.set(path, (await file.stat()).size),
    });
  };
  return {
    openFile,
    loseUnflushed: async (path: string) => writeFile(path, (await readFile(path)).subarray(0, flushedBytes.get(path) ?? 0)),
  };
}
