import { QUEUES } from './names.ts';
import {
  inboundPayloadSchema,
  intakePayloadSchema,
  sendOutcomePayloadSchema,
  statusCallbackPayloadSchema,
  type InboundPayload,
  type IntakePayload,
  type SendOutcomePayload,
  type StatusCallbackPayload,
} from './payloads.ts';

/** A job of one item, as its queue takes it. */
export type DeadLetterJob =
  | { queue: typeof QUEUES.intake; payload: IntakePayload }
  | { queue: typeof QUEUES.statusCallback; payload: StatusCallbackPayload }
  | { queue: typeof QUEUES.inbound; payload: InboundPayload }
  | { queue: typeof QUEUES.sendOutcome; payload: SendOutcomePayload };

/**
 * Makes a job again of an item that was kept as a dead letter: of a batch its one item, of what is no batch the whole payload.
 *
 * @returns null when this release does not understand the item, or knows no such queue
 */
export function toDeadLetterJob(queue: string, item: unknown): DeadLetterJob | null {
  switch (queue) {
    case QUEUES.intake: {
      const { data } = intakePayloadSchema.safeParse({ v: 1, messages: [item] });
      return data ? { queue, payload: data } : null;
    }
    case QUEUES.statusCallback: {
      const { data } = statusCallbackPayloadSchema.safeParse({ v: 1, events: [item] });
      return data ? { queue, payload: data } : null;
    }
    case QUEUES.inbound: {
      const { data } = inboundPayloadSchema.safeParse({ v: 1, messages: [item] });
      return data ? { queue, payload: data } : null;
    }
    case QUEUES.sendOutcome: {
      const { data } = sendOutcomePayloadSchema.safeParse(item);
      return data ? { queue, payload: data } : null;
    }
    default:
      return null;
  }
}
