import { z } from 'zod';
import { text } from './message-fields.ts';

const REASON_CHARACTERS_MAX = 500;

/** Why an operator does something: kept in the audit log, beside the name of the key. */
export const reasonSchema = z.string().trim().pipe(text(REASON_CHARACTERS_MAX)).describe('why, for the audit log');

/** What an operator asks of `POST /v1/maintenance/cleanup`, and the input of the task that it becomes. */
export const cleanupRequestSchema = z.strictObject({
  dryRun: z.boolean().default(false).describe('only count what would go'),
  reason: reasonSchema.nullable().default(null),
});

/** The same of `POST /v1/maintenance/erase`. */
export const eraseRequestSchema = z.strictObject({
  phone: z.string().max(64).describe('+<country code and number>, or whatsapp:<CC>.<user id>'),
  dryRun: z.boolean().default(false).describe('only find what would be erased'),
  reason: reasonSchema,
});
