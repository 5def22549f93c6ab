import { waitFor } from '@tickmark/testing';
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
      if (response.status < 500 && response.status !== 202) return { refused: `${response.status} ${JSON.stringify(body)}` };
      return response.status === 202 && body.id !== undefined && { id: body.id };
    },
    { timeoutMs: 30_000, intervalMs: 200, message: 'a message to be accepted' },
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
    const body = (await answer.json()) as { rejected?: number; results?: { id?: string }[] };
    if (answer.status !== 202 || body.rejected !== 0) throw new Error(`a batch was not accepted: ${answer.status} ${JSON.stringify(body)}`);
    ids.push(...(body.results ?? []).map(({ id = '' }) => id));
  }
  return ids;
}
