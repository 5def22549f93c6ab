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
