import { z } from 'zod';

/** What can go wrong with one create call, in words that say whether the message exists afterwards. */
export const FAULT_KINDS = [
  'throttle',
  'proxy-429',
  'unauthorized',
  'error-before-create',
  'reset-before-create',
  'stall-before-create',
  'reset-after-create',
  'error-after-create',
  'unavailable-after-create',
  'stall-after-create',
  'unparsable-201',
  'sidless-201',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Four hours: what Twilio lets wait in the queue of a WhatsApp sender before it refuses more. */
const QUEUE_SECONDS_MAX = 14_400;

/** A part of all cases from 0 to 1; true and false stand for all and none. */
const share = z.union([z.boolean().transform(Number), z.number().min(0).max(1)], 'must be a share from 0 to 1, or true or false');
const delayMs = z.number().int().min(0).max(60_000);

const faultSchema = z
  .strictObject({
    kind: z.enum(FAULT_KINDS),
    share: z.number().gt(0).max(1).optional(),
    every: z.number().int().min(1).optional(),
    to: z
      .string()
      .min(1)
      .transform((to) => (to.startsWith('+') ? `whatsapp:${to}` : to))
      .optional(),
  })
  .refine(
    (fault) => [fault.share, fault.every, fault.to].filter((given) => given !== undefined).length === 1,
    'must have exactly one of share, every and to',
  );

export const settingsSchema = z.strictObject({
  seed: z.number().int().min(0).max(0xffff_ffff).default(1),
  latencyMs: z.number().min(0).max(60_000).default(0),
  mps: z.record(z.string(), z.number().gt(0)).default({}),
  concurrencyMax: z.number().int().min(1).nullable().default(null),
  faults: z.array(faultSchema).max(100).default([]),
  callbacks: z
    .strictObject({ duplicate: share.default(0), drop: share.default(0), reorder: share.default(0), beforeAnswer: share.default(0) })
    .prefault({}),
  windowGuard: z.boolean().default(true),
  queueSecondsMax: z.number().min(0).default(QUEUE_SECONDS_MAX),
  statusDelayMs: z
    .strictObject({
      queued: delayMs.default(5),
      sending: delayMs.default(5),
      sent: delayMs.default(20),
      delivered: delayMs.default(60),
      read: delayMs.default(120),
    })
    .prefault({}),
});
export type Settings = z.output<typeof settingsSchema>;

export type SettingsResult = { ok: true; settings: Settings } | { ok: false; problems: { path: string; message: string }[] };

/** Reads settings; what is absent has its default. On failure every problem is told, with the path of the property. */
export function checkSettings(input: unknown): SettingsResult {
  const parsed = settingsSchema.safeParse(input);
  if (parsed.success) return { ok: true, settings: parsed.data };
  return {
    ok: false,
    problems: parsed.error.issues.map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message })),
  };
}

/**
 * Reads `SIMULATOR_SETTINGS`.
 *
 * @throws Error that names every problem, for the report of the configuration.
 */
export function parseSettings(text: string): Settings {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (cause) {
    throw new Error('is not JSON: write an object such as {"latencyMs":150}', { cause });
  }
  const result = checkSettings(input);
  if (result.ok) return result.settings;
  throw new Error(result.problems.map(({ path, message }) => `${path === '' ? 'settings' : path}: ${message}`).join('; '));
}
