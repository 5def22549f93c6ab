import {
  acceptedMessageSchema,
  inboundMessageSchema,
  PRIORITIES,
  STATUS_NAMES,
  sendOutcomeSchema,
  statusEventSchema,
} from '@tickmark/domain';
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

/** The claim that this is about: only its row takes what is said here. Ids and codes, nothing of the message or its people. */
const claim = { v: version, id: z.uuid(), token: z.uuid() };

/** What Postgres could not be told in time: what became of a call, or that a claim never led to one. */
export const sendOutcomePayloadSchema = z.union([
  z.strictObject({
    ...claim,
    attempt: z.number().int().positive(),
    outcome: sendOutcomeSchema,
    /** Alias: with the priority, what a send job for the next try needs. */
    sender: z.string().min(1),
    priority: z.enum(PRIORITIES),
  }),
  z.strictObject({ ...claim, outcome: z.strictObject({ kind: z.literal('released') }) }),
]);
export type SendOutcomePayload = z.infer<typeof sendOutcomePayloadSchema>;

export const statusCallbackPayloadSchema = z.strictObject({ v: version, events: z.array(statusEventSchema.strict()).min(1) });
export type StatusCallbackPayload = z.infer<typeof statusCallbackPayloadSchema>;

export const cancelPayloadSchema = z.strictObject({
  v: version,
  id: z.uuid(),
  producer: z.string().min(1),
  /** Names the place of the answer; unique to the request. */
  replyTo: z.uuid(),
  /** By the clock of who asks, as `timestamp` of a job is. */
  requestedAt: z.iso.datetime(),
  /** Nobody waits for the answer after this. */
  answerBy: z.iso.datetime(),
});
export type CancelPayload = z.infer<typeof cancelPayloadSchema>;

export const inboundPayloadSchema = z.strictObject({ v: version, messages: z.array(strictInboundMessage).min(1) });
export type InboundPayload = z.infer<typeof inboundPayloadSchema>;

/** The id alone: what is to be done, and for whom, is in Postgres. */
export const maintenancePayloadSchema = z.strictObject({ v: version, taskId: z.uuid() });
export type MaintenancePayload = z.infer<typeof maintenancePayloadSchema>;

/** For consumers outside of this system: one message, stored, with its window open and its STOP or START followed. */
export const inboundMessagePayloadSchema = z.strictObject({
  v: version,
  message: strictInboundMessage,
  /** What the message asks for besides, when it is nothing but such a word: whoever said stop must not be answered. */
  optOut: z.enum(['stop', 'start']).nullable(),
});
export type InboundMessagePayload = z.infer<typeof inboundMessagePayloadSchema>;

/** For producers: what a message's status is, without its people and contents. Metadata stays away too, because it may hold both. */
const toldStatusSchema = z.strictObject({
  id: z.uuid(),
  producer: z.string(),
  status: z.enum(STATUS_NAMES),
  errorCode: z.int().nullable(),
  messageSid: z.string().nullable(),
  campaign: z.string().nullable(),
  /** The message that this one is a retry of. */
  retryOf: z.uuid().nullable(),
  /** When the row last changed, by the database's clock: of two events of one message the later one is right. */
  at: z.iso.datetime(),
});
export type ToldStatus = z.infer<typeof toldStatusSchema>;

/** For consumers outside of this system. */
export const messageStatusPayloadSchema = z.strictObject({ v: version, events: z.array(toldStatusSchema).min(1).max(1_000) });
export type MessageStatusPayload = z.infer<typeof messageStatusPayloadSchema>;
