import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';

/**
 * A free connection is closed by us after this time, before the other side does it: a request written into a connection that the peer
 * is just closing is lost with an unknown outcome. Node's own servers close after 5 s, load balancers later.
 */
const FREE_SOCKET_MS = 4_000;
/** Earlier than the peer announced by this much, for the time that its FIN travels. */
const HINT_MARGIN_MS = 1_000;

/** A connection pool that knows whether a socket ever was connected. */
export interface TwilioAgent {
  readonly agent: HttpAgent;
  /** True once the socket's TCP connect (and TLS handshake, with certificate) succeeded, whichever request it was opened for. */
  wasConnected(socket: Duplex): boolean;
  /** Takes the peer's `Keep-Alive: timeout=…` header for this socket. */
  noteKeepAlive(socket: Duplex, header: string | undefined): void;
}

/** @param options.ca a certificate to trust instead of the system's; for tests. */
export function createTwilioAgent(options: { secure: boolean; socketsMax: number; ca?: string | undefined }): TwilioAgent {
  const { secure, socketsMax, ca } = options;
  const pool = { keepAlive: true, maxSockets: socketsMax, maxFreeSockets: socketsMax };
  const agent = secure ? new HttpsAgent({ ...pool, ca }) : new HttpAgent(pool);
  const connected = new WeakSet<Duplex>();
  const freeMs = new WeakMap<Duplex, number>();

  // The listener is set where the socket is made and not where a request gets it: a request that waited for a connection gets one that
  // connected long ago, and nothing at the request tells it from a new one.
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (connectOptions, callback) => {
    const socket = createConnection(connectOptions, callback);
    socket?.once(secure ? 'secureConnect' : 'connect', () => connected.add(socket));
    return socket;
  };
  const keepSocketAlive = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => boolean;
  agent.keepSocketAlive = (socket) => {
    const ms = freeMs.get(socket) ?? FREE_SOCKET_MS;
    const kept = ms > 0 && keepSocketAlive(socket);
    if (kept) setSocketTimeout(socket, ms);
    return kept;
  };
  const reuseSocket = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    // The time limit was for lying idle; a call has its own. (Node 20 ends only idle connections by it, and announces to end others too.)
    setSocketTimeout(socket, 0);
    reuseSocket(socket, request);
  };

  return {
    agent,
    wasConnected: (socket) => connected.has(socket),
    noteKeepAlive: (socket, header) => {
      const seconds = /\btimeout=(\d+)/.exec(header ?? '')?.[1];
      if (seconds !== undefined) freeMs.set(socket, Math.min(FREE_SOCKET_MS, Number(seconds) * 1_000 - HINT_MARGIN_MS));
    },
  };
}

function setSocketTimeout(socket: Duplex, ms: number): void {
  // The agent's types speak of Duplex, but what it opens are net.Sockets.
  (socket as Duplex & { setTimeout(ms: number): void }).setTimeout(ms);
}
