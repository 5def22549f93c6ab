import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** How long what a test closed may take to be gone. */
const PATIENCE_MS = 5_000;

/** What keeps a process alive and belongs to a test: sockets of workers, queues and pools, servers, child processes, datagram sockets. */
const WATCHED = new Set([
  'TCPSocketWrap',
  'TCPServerWrap',
  'PipeWrap',
  'PipeServerWrap',
  'ProcessWrap',
  'UDPWrap',
  'TLSWrap',
  'Worker',
  'FSEventWrap',
]);

interface Opened {
  what: string;
  at: string;
}

export interface LeakGate {
  /**
   * Waits until everything that was opened since the gate was set has been closed.
   *
   * @throws with a line for each thing that is still open: what it is, and the line of code that opened it
   */
  check(options?: { timeoutMs?: number }): Promise<void>;
}

/**
 * Set before a test file is loaded: what is open now belongs to the test runner.
 *
 * @param names who listens on a port, for the message
 */
export function setLeakGate(names: ReadonlyMap<string, string>): LeakGate {
  const baseline = countResources();
  const opened = new Map<object, Opened>();
  recordSockets(opened, names);
  recordServers(opened);
  recordChildren(opened);
  return {
    check: async ({ timeoutMs = PATIENCE_MS } = {}) => {
      const deadline = performance.now() + timeoutMs;
      while (leftOver(baseline).length > 0) {
        if (performance.now() > deadline) throw new Error(describe(leftOver(baseline), [...opened.values()]));
        await delay(25);
      }
    },
  };
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function leftOver(baseline: Map<string, number>): string[] {
  const more = [...countResources()].map(([kind, count]) => ({ kind, count: count - (baseline.get(kind) ?? 0) }));
  return more.filter(({ count }) => count > 0).map(({ kind, count }) => `${count} ${kind}`);
}

function describe(kinds: string[], opened: Opened[]): string {
  const lines = opened.map(({ what, at }) => `  ${what}, opened at ${at}`);
  return [`this file's tests left something open (${kinds.join(', ')}); close it in afterAll:`, ...lines].join('\n');
}

/** Only what is still open stays in the map. */
function remember(opened: Map<object, Opened>, thing: net.Socket | net.Server, what: string): void {
  opened.set(thing, { what, at: callSite() });
  thing.once('close', () => opened.delete(thing));
}

function recordSockets(opened: Map<object, Opened>, names: ReadonlyMap<string, string>): void {
  const prototype = net.Socket.prototype as unknown as { connect: (this: net.Socket, ...args: unknown[]) => net.Socket };
  const connect = prototype.connect;
  prototype.connect = function recordingConnect(...args) {
    remember(opened, this, 'a connection');
    this.once('connect', () => {
      const entry = opened.get(this);
      const address = `${this.remoteAddress}:${this.remotePort}`;
      if (entry) entry.what = `a connection to ${names.get(String(this.remotePort)) ?? 'a server'} (${address})`;
    });
    return connect.apply(this, args);
  };
}

function recordServers(opened: Map<object, Opened>): void {
  const prototype = net.Server.prototype as unknown as { listen: (this: net.Server, ...args: unknown[]) => net.Server };
  const listen = prototype.listen;
  prototype.listen = function recordingListen(...args) {
    remember(opened, this, 'a server');
    this.once('listening', () => {
      const address = this.address();
      const entry = opened.get(this);
      if (entry && address) entry.what = `a server on ${typeof address === 'string' ? address : `${address.address}:${address.port}`}`;
    });
    return listen.apply(this, args);
  };
}

function recordChildren(opened: Map<object, Opened>): void {
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess };
    opened.set(child, { what: 'a child process', at: callSite() });
    child.once('spawn', () => {
      const entry = opened.get(child);
      if (entry) entry.what = `child process ${child.pid} (${child.spawnargs.join(' ')})`;
    });
    child.once('exit', () => opened.delete(child));
    child.once('error', () => opened.delete(child));
  });
}

/** The innermost lines of the stack that are ours; without them, of a library. */
function callSite(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const lines = (new Error('where').stack ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ''));
  Error.stackTraceLimit = limit;
  const outside = lines.filter((line) => !line.includes('node:') && !line.includes('leak-gate') && !line.includes('refuse-network'));
  const ours = outside.filter((line) => !line.includes('node_modules'));
  return (ours[0] ?? outside[0] ?? 'an unknown place').replace(/\?.*$/, '');
}
