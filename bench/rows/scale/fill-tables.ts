import postgres from 'postgres';
import { insertCompanions, insertLogs, insertMessages, prepareSession, type Generated } from './generated-rows.ts';
import { withIndexesAside } from './indexes-aside.ts';

const BIG_TABLES = ['whatsapp_messages', 'message_status_logs'];
/** One server process each; more than there are cores would wait for each other. */
const LANES = 2;
const MESSAGES_PER_STATEMENT = 50_000;
const PAGES_PER_STATEMENT = 4_000;

export interface Filled {
  messages: number;
  logs: number;
  seconds: number;
}

/**
 * Fills an empty, migrated database. Rows are made where they are stored, so that none of them travels; what limits it is what limits COPY:
 * checks, pages and the log of the server.
 */
export async function fillTables(url: string, generated: Generated, say: (text: string) => void): Promise<Filled> {
  const lanes = Array.from({ length: LANES }, () => postgres(url, { max: 1, onnotice: () => {} }));
  const [sql] = lanes as [postgres.Sql];
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1_000;
  try {
    await Promise.all(lanes.map((lane) => prepareSession(lane, generated)));
    for (const table of BIG_TABLES) await sql.unsafe(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
    const load = async () => {
      const each = { lanes, say };
      await inPieces({ ...each, what: 'messages', total: generated.messages, size: MESSAGES_PER_STATEMENT }, (lane, from, to) =>
        insertMessages(lane, generated, from, to),
      );
      const [pages] = await sql<
        { count: number }[]
      >`SELECT (pg_relation_size('whatsapp_messages') / current_setting('block_size')::int)::int AS count`;
      await inPieces({ ...each, what: 'pages of messages told of', total: pages?.count ?? 0, size: PAGES_PER_STATEMENT }, insertLogs);
      await insertCompanions(sql, generated);
    };
    await withIndexesAside(sql, BIG_TABLES, load, (name, took) => say(`${name} made in ${took.toFixed(1)} s`));
    for (const table of BIG_TABLES) await sql.unsafe(`ALTER TABLE ${table} RESET (autovacuum_enabled)`);
    await sql`VACUUM (ANALYZE)`;
    const [counted] = await sql<{ messages: number; logs: number }[]>`
      SELECT (SELECT count(*)::int FROM whatsapp_messages) AS messages, (SELECT count(*)::int FROM message_status_logs) AS logs`;
    return { messages: 0, logs: 0, ...counted, seconds: seconds() };
  } finally {
    await Promise.all(lanes.map((lane) => lane.end({ timeout: 1 })));
  }
}

interface Pieces {
  lanes: readonly postgres.Sql[];
  say: (text: string) => void;
  what: string;
  total: number;
  size: number;
}

/** Each lane takes the next piece when it is done with one. Tells every tenth of the way how far it is and how long the rest will take. */
async function inPieces(
  { lanes, say, what, total, size }: Pieces,
  insert: (lane: postgres.Sql, from: number, to: number) => Promise<void>,
): Promise<void> {
  const startedMs = performance.now();
  let next = 0;
  let done = 0;
  let told = 0;
  const work = async (lane: postgres.Sql) => {
    while (next < total) {
      const from = next;
      const to = Math.min(total, from + size);
      next = to;
      await insert(lane, from, to);
      done += to - from;
      if (done / total < told + 0.1) continue;
      told = done / total;
      const seconds = (performance.now() - startedMs) / 1_000;
      say(`${done} of ${total} ${what}, ${Math.round(done / seconds)}/s, some ${Math.ceil((seconds * (total - done)) / done)} s to go`);
    }
  };
  await Promise.all(lanes.map(work));
}
