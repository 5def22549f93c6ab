import { insertAccepted } from '@tickmark/delivery';
import { newMessageId, parseSenders, prepareMessage, type MessageInput } from '@tickmark/domain';
import { createProducers } from '@tickmark/queues';
import { captureLogger, waitFor } from '@tickmark/testing';
import { expect } from 'vitest';
import type { Pipeline } from './pipeline.ts';

export interface MessageToPost {
  key: string;
  request: Record<string, unknown>;
}

/** Repeats what may or may not have been accepted, under its key, as a producer does. */
export async function postUntilAccepted(pipeline: Pipeline, { key, request }: MessageToPost): Promise<string> {
  const answer = await waitFor(
    async () => {
      const response = await pipeline.post('/v1/messages', request, { 'idempotency-key': key });
      const body = (await response.json()) as { id?: string };
      // 408: a busy machine, and certainly not accepted.
      if (response.status < 500 && response.status !== 202 && response.status !== 408)
        return { refused: `${response.status} ${JSON.stringify(body)}` };
      return response.status === 202 && body.id !== undefined && { id: body.id };
    },
    { timeoutMs: 60_000, intervalMs: 200, message: 'a message to be accepted' },
  );
  if ('refused' in answer) throw new Error(`the message was refused: ${answer.refused}`);
  return answer.id;
}

const BATCH_MAX = 1_000;

/** Posts many messages in batches; every one must be accepted. @returns their ids */
export async function postBatches(pipeline: Pipeline, requests: readonly Record<string, unknown>[]): Promise<string[]> {
  const ids: string[] = [];
  for (let from = 0; from < requests.length; from += BATCH_MAX) {
    const answer = await pipeline.post('/v1/messages/batch', { messages: requests.slice(from, from + BATCH_MAX) });
    const { results = [] } = (await answer.json()) as { results?: { id?: string; error?: unknown }[] };
    const refused = results.find(({ error }) => error !== undefined);
    if (answer.status !== 202 || refused) throw new Error(`a batch was not accepted: ${answer.status} ${JSON.stringify(refused)}`);
    ids.push(...results.map(({ id = '' }) => id));
  }
  return ids;
}

/** Rows per statement, and jobs with them: as many as the intake takes at a time. */
const ROWS_MAX = 500;

/** Leaves messages to their senders' queues as the intake does, without the way to it: a long queue in seconds. Returns when all wait. */
export async function fillQueue(pipeline: Pipeline, requests: readonly MessageInput[]): Promise<void> {
  const redis = { redisUrl: pipeline.env['REDIS_URL'] ?? '', base: pipeline.env['QUEUE_PREFIX'] ?? '' };
  const senders = parseSenders(pipeline.env['TWILIO_SENDERS'] ?? '');
  const policy = { mode: 'simulator', senders, allowedRecipients: () => undefined } as const;
  const context = { producer: 'shop', aliases: null, policy, now: new Date() };
  const producers = createProducers({ ...redis, log: captureLogger().log, deadlineMs: 60_000 });
  try {
    for (let from = 0; from < requests.length; from += ROWS_MAX) {
      const batch = requests.slice(from, from + ROWS_MAX).map((request) => prepareMessage(request, newMessageId(), context));
      for (const inserted of await insertAccepted(pipeline.db, batch))
        expect(inserted).toMatchObject({ ok: true, value: { waiting: true } });
      await producers.addSend(batch.map(({ id, sender, priority }) => ({ id, sender, priority })));
    }
  } finally {
    await producers.close();
  }
}
