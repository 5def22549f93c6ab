import { z } from 'zod';

/**
 * What the console asks workers to do, as it stands in a task. Ids and not what they were chosen by: what somebody looked at is what is done.
 */
const reason = z.string().max(500);

export const retryTaskSchema = z.object({ ids: z.array(z.uuid()), force: z.boolean(), reason });
export type RetryTask = z.infer<typeof retryTaskSchema>;

export const releaseTaskSchema = z.object({ ids: z.array(z.uuid()), code: z.int(), reason });
export type ReleaseTask = z.infer<typeof releaseTaskSchema>;

export const resolveTaskSchema = z.object({
  id: z.uuid(),
  /** The decision is about this attempt; a newer one is another question. */
  attempt: z.int(),
  action: z.enum(['adopt', 'resend', 'close']),
  /** With adopt only. */
  messageSid: z.string().nullable(),
  reason,
});
export type ResolveTask = z.infer<typeof resolveTaskSchema>;
