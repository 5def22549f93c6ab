import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';

const LOOPBACK = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|::1|0:0:0:0:0:0:0:1|::ffff:127\.\d+\.\d+\.\d+|0\.0\.0\.0|::)$/i;

/** A test tried to leave this machine. */
export class NetworkRefusedError extends Error {
  override name = 'NetworkRefusedError';
  readonly code = 'ENETREFUSED';
  constructor(target: string) {
    super(`tests reach no other machine than this one, and ${target} was asked for`);
  }
}

/** From here on this process connects to loopback addresses only: TCP, TLS and UDP fail at once elsewhere, and no name is looked up. */
export function refuseNetwork(): void {
  refuseSockets();
  refuseDatagrams();
  refuseLookups(dns);
  refuseLookups(dns.promises);
  refuseLookups(dns.Resolver.prototype);
  refuseLookups(dns.promises.Resolver.prototype);
}

function refuseSockets(): void {
  const prototype = net.Socket.prototype as unknown as { connect: (this: net.Socket, ...args: unknown[]) => net.Socket };
  const connect = prototype.connect;
  prototype.connect = function refusingConnect(this: net.Socket, ...args: unknown[]) {
    const target = targetOf(args);
    if (target === null || LOOPBACK.test(target)) return connect.apply(this, args);
    // As a failing connection would: the error comes on the next turn, so that whoever listens hears it.
    process.nextTick(() => this.destroy(new NetworkRefusedError(target)));
    return this;
  };
}

/** The host of `connect(options)`, `connect(port, host)` and their normalized form; null for a local pipe. */
function targetOf(args: unknown[]): string | null {
  const [first, second] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args;
  if (typeof first === 'object' && first !== null) {
    const { host, path } = first as { host?: string; path?: string };
    return path ? null : (host ?? 'localhost');
  }
  // A text that is no number is the path of a pipe.
  if (typeof first === 'string' && Number.isNaN(Number(first))) return null;
  return typeof second === 'string' ? second : 'localhost';
}

function refuseDatagrams(): void {
  const prototype = dgram.Socket.prototype as unknown as Record<'send' | 'connect', (...args: unknown[]) => unknown>;
  for (const method of ['send', 'connect'] as const) {
    const original = prototype[method];
    prototype[method] = function refusing(this: dgram.Socket, ...args: unknown[]) {
      const host = args.find((arg, index) => index > 0 && typeof arg === 'string') as string | undefined;
      if (host !== undefined && !LOOPBACK.test(host)) throw new NetworkRefusedError(host);
      return original.apply(this, args);
    };
  }
}

type Lookups = Record<string, ((...args: unknown[]) => unknown) | undefined>;

function refuseLookups(target: object): void {
  const lookups = target as Lookups;
  for (const name of Object.keys(Object.getOwnPropertyDescriptors(target)).filter((key) => /^(lookup|resolve|reverse)/.test(key))) {
    const original = lookups[name];
    if (typeof original !== 'function') continue;
    lookups[name] = function refusing(this: unknown, ...args: unknown[]) {
      const asked = String(args[0]);
      if (LOOPBACK.test(asked) || net.isIP(asked) !== 0) return original.apply(this, args);
      const error = new NetworkRefusedError(asked);
      const callback = args.at(-1);
      if (typeof callback !== 'function') return Promise.reject(error);
      process.nextTick(() => (callback as (error: Error) => void)(error));
      return undefined;
    };
  }
}
