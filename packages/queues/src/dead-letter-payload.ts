import { DEAD_LETTER_QUEUES, type DeadLetterQueue } from '@tickmark/domain';
import type { z } from 'zod';
import { inboundPayloadSchema, intakePayloadSchema, sendOutcomePayloadSchema, statusCallbackPayloadSchema } from './payloads.ts';

/** How a job is made again of an item that was kept: of a batch its one item, of what is no batch the whole payload. */
const LETTERS = {
  intake: { schema: intakePayloadSchema, toJob: (item: unknown) => ({ v: 1, messages: [item] }) },
  'status-callback': { schema: statusCallbackPayloadSchema, toJob: (item: unknown) => ({ v: 1, events: [item] }) },
  inbound: { schema: inboundPayloadSchema, toJob: (item: unknown) => ({ v: 1, messages: [item] }) },
  'send-outcome': { schema: sendOutcomePayloadSchema, toJob: (item: unknown) => item },
} satisfies Record<DeadLetterQueue, { schema: z.ZodType; toJob: (item: unknown) => unknown }>;

/** A job of one item, as its queue takes it. */
export type DeadLetterJob = { [Q in DeadLetterQueue]: { queue: Q; payload: z.infer<(typeof LETTERS)[Q]['schema']> } }[DeadLetterQueue];

/** @returns null when this release does not understand the item, or knows no such queue */
export function toDeadLetterJob(queue: string, item: unknown): DeadLetterJob | null {
  const known = DEAD_LETTER_QUEUES.find((name) => name === queue);
  if (known === undefined) return null;
  const { schema, toJob } = LETTERS[known];
  const { data } = schema.safeParse(toJob(item));
  // Queue and schema are of one entry, which the compiler does not follow through the union.
  return data === undefined ? null : ({ queue: known, payload: data } as DeadLetterJob);
}
