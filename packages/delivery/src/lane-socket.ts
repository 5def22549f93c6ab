import { connect, type Socket } from 'node:net';

/** What postgres.js made of its URL and its options. */
export interface PostgresServer {
  host: readonly string[];
  port: readonly number[];
  path: string | false;
  connect_timeout: number;
}

export interface LaneSocket {
  /** To be given to postgres.js as its `socket`: connects to the next host, and to each of them once. Never rejects. */
  open(server: PostgresServer): Promise<Socket>;
  /** Ends it without a word, however long the other side has been silent. */
  destroy(): void;
}

/**
 * The sockets of one lane. postgres.js itself would knock again at once, and for ever, where a connection ends before the server has said that
 * it is ready (a proxy whose own server is gone), and could not end one that hangs.
 *
 * @param onFailed called when no host is left to be tried, with the error of the last one
 */
export function openLaneSocket(onFailed: (error: Error) => void): LaneSocket {
  let tried = 0;
  let closed = false;
  let current: Socket | undefined;
  let failure: Error = Object.assign(new Error('PostgreSQL ended the connection before it was ready'), { code: 'CONNECTION_CLOSED' });

  const tryNext = (server: PostgresServer, onConnected: (socket: Socket) => void) => {
    if (closed) return;
    const [host, port] = [server.host[tried], server.port[tried]];
    if (host === undefined || port === undefined) return onFailed(failure);
    tried += 1;
    const socket = server.path === false ? connect({ host, port }) : connect({ path: server.path });
    current = socket;
    const timer = setTimeout(() => socket.destroy(connectTimeout()), server.connect_timeout * 1000);
    socket.once('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      tryNext(server, onConnected);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      // From here on it is listened to by postgres.js.
      socket.removeAllListeners();
      // TLS compares the certificate with the one, and errors name both.
      onConnected(Object.assign(socket, { host, port }));
    });
  };

  return {
    open: (server) => new Promise((resolve) => tryNext(server, resolve)),
    destroy: () => {
      closed = true;
      current?.destroy();
    },
  };
}

function connectTimeout(): Error {
  return Object.assign(new Error('PostgreSQL could not be reached in time'), { code: 'CONNECT_TIMEOUT' });
}
