import { z } from 'zod';

const reason = z.string().min(1).max(500).describe('why, for the audit log');

/** What an operator asks of `POST /v1/maintenance/cleanup`, and the input of the task that it becomes. */
export const cleanupRequestSchema = z.strictObject({
  dryRun: z.boolean().default(false).describe('only count what would go'),
  reason: reason.nullable().default(null),
});

/** The same of `POST /v1/maintenance/erase`. */
export const eraseRequestSchema = z.strictObject({
  phone: z.string().max(64).describe('+<country code and number>, or whatsapp:<CC>.<user id>'),
  dryRun: z.boolean().default(false).describe('only find what would be erased'),
  reason,
});
