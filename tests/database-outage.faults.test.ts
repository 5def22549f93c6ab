// The promise: a database that is away for hours fails no message and loses none, and nothing is sent twice for it.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTcpGate, randomPhone, waitFor, type SpawnedProcess, type TcpGate } from '@tickmark/testing';
import { postUntilAccepted } from './support/messages.ts';
import { letHoursPass } from './support/move-time.ts';
import { startPipeline, type Ledger, type Pipeline } from './support/pipeline.ts';
import { judgeWhenQuiet, untilNothingWaits } from './support/settle-messages.ts';

const OUTAGE_HOURS = 6;
const HOUR_SECONDS = 3_600;
/** Of a message before the outage: none, one that outlasts it, one that does not. */
const VALIDITIES = [undefined, 10 * HOUR_SECONDS, 3 * HOUR_SECONDS];
/** Over before the outage is: outcomes are kept for five seconds before they are handed over. */
const SHORT_VALIDITY_SECONDS = 2;

const REFUSED_CODE = 21211;

const ENV = {
  WORKER_CONCURRENCY: '12',
  // Slow calls, so that a dozen of them are under way when the database goes away.
  SIMULATOR_SETTINGS: JSON.stringify({ latencyMs: 500, statusDelayMs: { sending: 10, sent: 50, delivered: 50, read: 50 } }),
};

let pipeline: Pipeline;
let gate: TcpGate;
let worker: SpawnedProcess;
beforeAll(async () => {
  pipeline = await startPipeline({ apps: ['ingress', 'simulator'], env: ENV });
  gate = await openTcpGate(pipeline.env['DATABASE_URL'] ?? '');
  worker = await pipeline.startWorker({ DATABASE_URL: gate.url });
}, 300_000);
afterAll(async () => {
  await gate.open();
  await pipeline.stop();
  await gate.close();
}, 300_000);

const accepted: string[] = [];

/** Each third message goes to somebody to whom Twilio refuses to write. @returns the ids */
async function post(count: number, validityOf: (index: number) => number | undefined): Promise<string[]> {
  const ids = await Promise.all(
    Array.from({ length: count }, (_, position) => {
      const index = accepted.length + position;
      const to = index % 3 === 0 ? `+1500${String(index % 100).padStart(2, '0')}${REFUSED_CODE}` : randomPhone();
      const from = (['support', 'shop', 'news'] as const)[Math.floor(index / 3) % 3];
      const validityPeriod = validityOf(index);
      const request = { to, from, contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: String(index) } };
      return postUntilAccepted(pipeline, {
        key: `outage-${index}`,
        request: { ...request, ...(validityPeriod ? { validityPeriod } : {}) },
      });
    }),
  );
  accepted.push(...ids);
  return ids;
}

interface Row {
  id: string;
  status: string;
  error_code: number | null;
  attempts: number;
}

async function rowsOf(ids: readonly string[]): Promise<Row[]> {
  return pipeline.db.sql<Row[]>`SELECT id, status, error_code, attempts FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[])`;
}

/** What the worker's log says of outcomes that it could not record. */
function handedOver(outcome: string): string[] {
  const lines = worker.output().split('\n');
  const told = lines.filter((line) => line.includes('"outcome handed over: the database is away"'));
  return told
    .map((line) => JSON.parse(line) as { messageId: string; outcome: string })
    .filter((line) => line.outcome === outcome)
    .map(({ messageId }) => messageId);
}

it('an outage of hours with calls under way: each message once, what Twilio answered is recorded, only validity ends a message', async () => {
  await post(180, (index) => VALIDITIES[Math.floor(index / 9) % VALIDITIES.length]);
  await waitFor(async () => (await pipeline.ledger()).creates.length >= 40, { timeoutMs: 60_000 });
  await gate.close();
  const late = await post(30, (index) => (index % 2 === 0 ? SHORT_VALIDITY_SECONDS : undefined));
  await waitFor(() => handedOver('accepted').length > 1 && handedOver('rejected').length > 1, { timeoutMs: 60_000 });
  const inFlight = await pipeline.db.sql<{ id: string }[]>`SELECT id FROM whatsapp_messages WHERE status = 'sending'`;

  await letHoursPass(pipeline.db, OUTAGE_HOURS);
  const overdue = await pipeline.db.sql<{ id: string }[]>`
    SELECT id FROM whatsapp_messages WHERE open_status = 'accepted' AND expires_at < now()`;
  await gate.open();
  await untilNothingWaits(pipeline, accepted, 90_000);
  const judgement = await judgeWhenQuiet(pipeline, accepted);
  const { creates } = await pipeline.ledger();
  const rows = await rowsOf(accepted);
  report({ rows, creates, inFlight: inFlight.length, overdue: overdue.length });

  const { twice, lost, disagreeing, unknownCreated, unknownAbsent } = judgement;
  expect({ twice, lost, disagreeing, unknownCreated, unknownAbsent }).toEqual({
    twice: [],
    lost: [],
    disagreeing: [],
    unknownCreated: 0,
    unknownAbsent: 0,
  });
  expect(new Set(creates.map(({ m }) => m)).size).toBe(creates.length);
  const refused = new Set(creates.filter(({ outcome }) => outcome === 'refused').map(({ m }) => m));
  expect(rows.filter(({ status }) => status === 'failed').map(({ id, error_code }) => [id, error_code])).toEqual(
    rows.filter(({ id }) => refused.has(id)).map(({ id }) => [id, REFUSED_CODE]),
  );
  const called = new Set(creates.map(({ m }) => m));
  expect(handedOver('rejected').filter((id) => !refused.has(id))).toEqual([]);
  expect(handedOver('accepted').filter((id) => !called.has(id))).toEqual([]);

  const isExpired = ({ status, error_code }: Row) => status === 'expired' && error_code === null;
  expect(overdue.length).toBeGreaterThan(0);
  expect((await rowsOf(overdue.map(({ id }) => id))).filter((row) => !isExpired(row) || row.attempts > 0)).toEqual([]);
  expect((await rowsOf(late)).filter(isExpired)).toHaveLength(15);
  expect(rows.filter((row) => !called.has(row.id) && !isExpired(row))).toEqual([]);
  expect(rows.filter((row) => called.has(row.id) && isExpired(row))).toEqual([]);
}, 300_000);

function report({ rows, creates, inFlight, overdue }: { rows: Row[]; creates: Ledger['creates']; inFlight: number; overdue: number }) {
  const count = (wanted: string) => rows.filter(({ status }) => status === wanted).length;
  const handed = `${handedOver('accepted').length} accepted and ${handedOver('rejected').length} rejected`;
  console.log(
    `database outage: ${rows.length} rows, ${inFlight} claimed when it began, ${handed} handed over, ${overdue} overdue when it ended; ` +
      `${creates.length} calls, ${count('read')} read, ${count('failed')} failed, ${count('expired')} expired`,
  );
}
