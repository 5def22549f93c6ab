import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';

const COLUMNS = 'to,from,body,contentSid,contentVariables,mediaUrl,sendAt,priority,campaign,metadata,key,expect'.split(',');

/** Requests to the ingress at the same time. */
const POSTS_IN_FLIGHT = 32;
const POST_TRIES_MAX = 10;

export interface CampaignRow {
  /** The request body, without the row's own key and expectation. */
  request: Record<string, unknown>;
  key: string;
  /** Each `status` or `status:errorCode`; one of them must come true. */
  expect: string[];
}

/** Reads a campaign file: the columns of `tickmark send --file` and `expect`. */
export function readCampaign(file: string): CampaignRow[] {
  const records = parse<Record<string, string>>(readFileSync(file), { columns: true, skip_empty_lines: true });
  const unknown = Object.keys(records[0] ?? {}).filter((column) => !COLUMNS.includes(column));
  if (records.length === 0 || unknown.length > 0) {
    throw new Error(
      `${file}: ${records.length === 0 ? 'no rows' : `unknown columns ${unknown.join(', ')}`}; the columns are ${COLUMNS.join(',')}`,
    );
  }
  return records.map(({ key = '', expect = '', ...fields }, index) => {
    if (key === '' || expect === '') throw new Error(`${file}: row ${index + 1} needs key and expect`);
    const given = Object.entries(fields).filter(([, value]) => value !== '');
    const request = Object.fromEntries(given.map(([name, value]) => [name, name === 'metadata' ? (JSON.parse(value) as unknown) : value]));
    return { request, key, expect: expect.split('|') };
  });
}

export interface Addresses {
  ingressUrl: string;
  simulatorUrl: string;
  apiKey: string;
}

/**
 * People may be written to freely only within 24 h after they wrote themselves: so each recipient of a free text first writes to its sender.
 *
 * @param senderOf the address of the sender that a row's `from` names
 */
export async function writeInFirst(
  rows: readonly CampaignRow[],
  senderOf: (from: unknown) => string,
  { simulatorUrl }: Addresses,
): Promise<number> {
  const conversations = new Map<string, { from: unknown; to: string; body: string }>();
  for (const { request } of rows) {
    if (request['contentSid'] !== undefined) continue;
    const to = senderOf(request['from']);
    conversations.set(`${String(request['to'])} ${to}`, { from: request['to'], to, body: 'Hello, I have a question.' });
  }
  await forEachInFlight([...conversations.values()], async (conversation) => {
    const answer = await post(`${simulatorUrl}/_sim/inbound`, conversation, {});
    if (!answer.ok) throw new Error(`the simulator refused an inbound message: ${answer.status} ${await answer.text()}`);
  });
  return conversations.size;
}

/** Sends every row as a producer would. @returns the message id of each row, in order. */
export async function postCampaign(
  rows: readonly CampaignRow[],
  runId: string,
  { ingressUrl, apiKey }: Addresses,
  onAccepted: () => void,
): Promise<string[]> {
  const ids: string[] = [];
  await forEachInFlight(rows, async ({ request, key }, index) => {
    const headers = { authorization: `Bearer ${apiKey}`, 'idempotency-key': `${runId}/${key}` };
    const answer = await postUntilAnswered(`${ingressUrl}/v1/messages`, request, headers);
    const body = (await answer.json()) as { id?: string };
    if (answer.status !== 202 || body.id === undefined)
      throw new Error(`row ${key} was not accepted: ${answer.status} ${JSON.stringify(body)}`);
    ids[index] = body.id;
    onAccepted();
  });
  return ids;
}

/** As a producer should: a 503 is repeated with the same key after the time that it names, for a while. */
async function postUntilAnswered(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const answer = await post(url, body, headers);
    if (answer.status !== 503 || tries === POST_TRIES_MAX) return answer;
    await answer.arrayBuffer();
    await pause(Number(answer.headers.get('retry-after') ?? 1) * 1000);
  }
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
}

async function forEachInFlight<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      const item = items[index];
      if (item !== undefined) await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: POSTS_IN_FLIGHT }, lane));
}
