import type postgres from 'postgres';
import { openLaneSocket, type PostgresServer } from './lane-socket.ts';

/** Sessions of a server collect memory; as postgres.js, we replace one now and then. */
const LIFETIME_MS_MAX = 45 * 60_000;

/** A postgres.js client with one connection, thrown away with it. */
export interface Lane {
  sql: postgres.ISql;
  /** Rejects when the connection is lost; never resolves. */
  lost: Promise<never>;
  isUsable(): boolean;
  spoil(): void;
  end(deadlineMs: number): Promise<void>;
  idleTimer: NodeJS.Timeout | undefined;
}

export interface LaneSettings {
  /** Makes a client of postgres.js with these options besides its own. */
  connect: (options: postgres.Options<{}>) => postgres.Sql;
  /**
   * How long a statement may take with its answer, the time to connect included: more than the server lets it run, so that only silence lasts
   * so long. A host that vanished says nothing, and TCP takes minutes to give it up.
   */
  answerMsMax: number;
}

/** Connects with the first statement. @param onLost called once, when the connection must not be used any more */
export function openLane({ connect, answerMsMax }: LaneSettings, onLost: () => void): Lane {
  const openedMs = performance.now();
  let usable = true;
  let reject: (error: Error) => void = () => {};
  const lost = new Promise<never>((_resolve, rejectLost) => {
    reject = rejectLost;
  });
  // Nobody waits for it while the lane is idle.
  lost.catch(() => undefined);
  const lose = (error: Error) => {
    usable = false;
    reject(error);
    socket.destroy();
    onLost();
  };
  const socket = openLaneSocket(lose);
  const options = {
    max: 1,
    // Both would end the connection between two statements of a transaction.
    idle_timeout: 0,
    max_lifetime: 0,
    socket: (server: PostgresServer) => socket.open(server),
    onclose: () => lose(connectionError('CONNECTION_CLOSED')),
  };
  const client = connect(options);
  const sql = new Proxy(client, {
    apply: (target, self, args: unknown[]) => {
      if (!usable) throw connectionError('CONNECTION_CLOSED');
      const made = Reflect.apply(target, self, args) as unknown;
      return made instanceof Promise ? limitWait(made, answerMsMax, () => lose(connectionError('ETIMEDOUT'))) : made;
    },
  });
  return {
    sql,
    lost,
    isUsable: () => usable && performance.now() - openedMs < LIFETIME_MS_MAX,
    spoil: () => {
      usable = false;
    },
    end: async (deadlineMs) => {
      await client.end({ timeout: deadlineMs / 1000 });
      // One that is still about to connect is not known to the client.
      socket.destroy();
    },
    idleTimer: undefined,
  };
}

/** A query of postgres.js begins when somebody waits for it; one that nobody waits for is a part of another one's text. */
function limitWait<R>(query: Promise<R>, answerMsMax: number, onSilence: () => void): Promise<R> {
  const then = query.then.bind(query);
  let timer: NodeJS.Timeout | undefined;
  // oxlint-disable-next-line unicorn/no-thenable -- it is thenable already
  query.then = (onFulfilled, onRejected) => {
    if (timer === undefined) {
      timer = setTimeout(onSilence, answerMsMax);
      const stop = () => clearTimeout(timer);
      void then(stop, stop);
    }
    return then(onFulfilled, onRejected);
  };
  return query;
}

/** In the words of postgres.js and of Node, so that it is classified as every other broken connection. */
export function connectionError(code: 'CONNECTION_CLOSED' | 'CONNECTION_ENDED' | 'ETIMEDOUT'): Error {
  return Object.assign(new Error(`the connection to PostgreSQL is gone (${code})`), { code });
}
