import { acceptedMessageSchema, inboundMessageSchema, statusEventSchema } from '@tickmark/domain';
import { z } from 'zod';

/** Version of every payload that this release writes and reads. Readers of a new version ship one release before its writers. */
const VERSION = 1;

const version = z.literal(VERSION);
const media = inboundMessageSchema.shape.media;

/** Strict down to the leaves: a field that this release does not know is a newer writer's, and dropping it silently would lose data. */
const strictInboundMessage = inboundMessageSchema.extend({ media: z.array(media.element.strict()).max(20) }).strict();

export const intakePayloadSchema = z.strictObject({ v: version, messages: z.array(acceptedMessageSchema.strict()).min(1) });
export type IntakePayload = z.infer<typeof intakePayloadSchema>;

/** The message id alone: the truth is in Postgres, and a backlog of a million holds no personal data. */
export const sendPayloadSchema = z.strictObject({ v: version, id: z.uuid() });
export type SendPayload = z.infer<typeof sendPayloadSchema>;

export const statusCallbackPayloadSchema = z.strictObject({ v: version, events: z.array(statusEventSchema.strict()).min(1) });
export type StatusCallbackPayload = z.infer<typeof statusCallbackPayloadSchema>;

export const inboundPayloadSchema = z.strictObject({ v: version, messages: z.array(strictInboundMessage).min(1) });
export type InboundPayload = z.infer<typeof inboundPayloadSchema>;
