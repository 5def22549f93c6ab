// The plans of the statements that a function really makes, as the server ran them: auto_explain tells them over each connection, and a
// pass-through before the server takes them down, because the connections of our own hear no notices.
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import postgres from 'postgres';

export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Heap Fetches'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

export interface WatchedServer {
  /** The database, by way of the pass-through. */
  url: string;
  /** The plans of what the work asked, in the order in which the statements ended. */
  watch(work: () => Promise<unknown>): Promise<PlanNode[]>;
  close(): Promise<void>;
}

const SETTINGS = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_format': 'json',
  // Below what the server's own log takes, so that no recipient comes to stand there.
  'auto_explain.log_level': 'debug1',
  client_min_messages: 'debug1',
};

/** @param url a database of the test's own, of which the user may change the settings */
export async function watchPlans(url: string): Promise<WatchedServer> {
  const sql = postgres(url, { max: 1 });
  const name = new URL(url).pathname.slice(1);
  for (const [setting, value] of Object.entries(SETTINGS)) await sql.unsafe(`ALTER DATABASE "${name}" SET ${setting} = '${value}'`);
  await sql.end();

  const target = new URL(url);
  const sockets = new Set<Socket>();
  let plans: PlanNode[] = [];
  const server = createServer((inside) => {
    const outside = connect(Number(target.port), target.hostname);
    const read = readNotices((plan) => plans.push(plan));
    for (const [socket, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
      socket.pipe(other);
    }
    outside.on('data', read);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${(server.address() as AddressInfo).port}` }).href,
    async watch(work) {
      plans = [];
      await work();
      return plans;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Messages of the server: a letter, four bytes of length (without the letter), the rest. A notice has fields, each a letter and a text ended by a zero. */
function readNotices(onPlan: (plan: PlanNode) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
      const end = 1 + rest.readUInt32BE(1);
      if (rest[0] === 'N'.charCodeAt(0)) {
        const told = rest
          .toString('utf8', 5, end)
          .split('\0')
          .find((field) => field.startsWith('Mduration: '));
        const json = told?.slice(told.indexOf('{'));
        if (json) onPlan((JSON.parse(json) as { Plan: PlanNode }).Plan);
      }
      rest = rest.subarray(end);
    }
  };
}
