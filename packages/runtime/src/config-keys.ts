import type { z } from 'zod';
import { connectionValue, integerValue, listValue, numberValue, oneOf, switchValue, textValue, urlValue } from './config-types.ts';

export const TWILIO_MODES = ['simulator', 'sandbox', 'live'] as const;
export type TwilioMode = (typeof TWILIO_MODES)[number];
export type ConfigProcess = 'ingress' | 'worker' | 'console' | 'simulator' | 'migrate' | 'cli';

export interface KeyDefinition {
  type: z.ZodType<unknown, string>;
  usedBy: readonly ConfigProcess[];
  secret?: true;
  required?: true;
  default?: string;
}

export const CONFIG_KEYS = {
  TWILIO_MODE: { type: oneOf(TWILIO_MODES), required: true, usedBy: ['ingress', 'worker', 'console', 'simulator', 'cli'] },
  LOG_LEVEL: {
    type: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    default: 'info',
    usedBy: ['ingress', 'worker', 'console', 'simulator', 'migrate', 'cli'],
  },
  DATABASE_URL: {
    type: connectionValue(['postgres', 'postgresql']),
    required: true,
    secret: true,
    usedBy: ['worker', 'console', 'migrate'],
  },
  DATABASE_PREPARE: { type: switchValue(), default: 'on', usedBy: ['worker', 'console'] },
  REDIS_URL: { type: connectionValue(['redis', 'rediss']), required: true, secret: true, usedBy: ['ingress', 'worker', 'console'] },
  QUEUE_PREFIX: { type: textValue(), default: 'tickmark', usedBy: ['ingress', 'worker', 'console'] },
  QUEUE_LOCK_MS: { type: integerValue(1000, 600_000), usedBy: ['worker'] },
  QUEUE_STALLED_MS: { type: integerValue(500, 600_000), usedBy: ['worker'] },
  PUBLIC_BASE_URL: { type: urlValue(['http', 'https']), required: true, usedBy: ['ingress', 'worker', 'simulator'] },
  INGRESS_PORT: { type: integerValue(0, 65_535), default: '3000', usedBy: ['ingress'] },
  CONSOLE_PORT: { type: integerValue(0, 65_535), default: '3001', usedBy: ['console'] },
  SIMULATOR_PORT: { type: integerValue(0, 65_535), default: '4010', usedBy: ['simulator'] },
  METRICS_PORT: { type: integerValue(0, 65_535), usedBy: ['ingress', 'worker', 'console', 'simulator'] },
  LISTEN_HOST: { type: textValue(), default: '127.0.0.1', usedBy: ['ingress', 'worker', 'console', 'simulator'] },
  TRUST_PROXY: {
    type: textValue().transform((text): number | string[] | false => (text === '' ? false : [])),
    default: 'off',
    usedBy: ['ingress', 'console'],
  },
  TWILIO_ACCOUNT_SID: { type: textValue(), required: true, usedBy: ['ingress', 'worker', 'simulator'] },
  TWILIO_API_KEY_SID: { type: textValue(), required: true, usedBy: ['worker', 'simulator'] },
  TWILIO_API_KEY_SECRET: { type: textValue(), required: true, secret: true, usedBy: ['worker', 'simulator'] },
  TWILIO_AUTH_TOKEN: { type: textValue(), required: true, secret: true, usedBy: ['ingress', 'simulator'] },
  TWILIO_AUTH_TOKEN_NEXT: { type: textValue(), secret: true, usedBy: ['ingress'] },
  TWILIO_BASE_URL: { type: urlValue(['http', 'https']), usedBy: ['worker'] },
  TWILIO_REGION: { type: textValue(), usedBy: ['worker'] },
  TWILIO_EDGE: { type: textValue(), usedBy: ['worker'] },
  TWILIO_SENDERS: { type: textValue(), required: true, usedBy: ['ingress', 'worker'] },
  STATUS_CALLBACKS: { type: switchValue(), default: 'on', usedBy: ['worker'] },
  STATUS_CALLBACK_OVERRIDES: { type: textValue(), default: 'rc=5&rp=ct,rt,5xx&ct=2000&rt=4000', usedBy: ['worker'] },
  API_KEYS: { type: textValue(), required: true, usedBy: ['ingress', 'console'] },
  RATE_LIMIT_PER_KEY: { type: numberValue(0), default: '1000', usedBy: ['ingress'] },
  WORKER_CONCURRENCY: { type: integerValue(1, 10_000), default: '50', usedBy: ['worker'] },
  WINDOW_GUARD: { type: oneOf(['auto', 'enforce', 'off']), default: 'auto', usedBy: [] },
  ALLOWED_RECIPIENTS: { type: listValue(), usedBy: ['ingress'] },
  STOP_WORDS_FILE: { type: textValue(), usedBy: [] },
  RETENTION_BODY_DAYS: { type: integerValue(0, 36_500), default: '30', usedBy: [] },
  RETENTION_DAYS: { type: integerValue(1, 36_500), default: '365', usedBy: [] },
  SPOOL_DIR: { type: textValue(), default: '.data/spool', usedBy: [] },
  SPOOL_BYTES_MAX: { type: integerValue(1_048_576, Number.MAX_SAFE_INTEGER), default: '1073741824', usedBy: [] },
  ARCHIVE_DIR: { type: textValue(), usedBy: [] },
  SESSION_SECRET: { type: textValue(), secret: true, usedBy: [] },
  ENCRYPTION_KEYS: { type: textValue(), secret: true, usedBy: [] },
  RECONCILE_CONCURRENCY: { type: integerValue(1, 100), default: '2', usedBy: [] },
  RECONCILE_REQUESTS_PER_SECOND: { type: numberValue(0.1), default: '5', usedBy: [] },
  FAILPOINTS: { type: textValue(), usedBy: ['worker', 'ingress'] },
  SIMULATOR_SETTINGS: { type: textValue(), usedBy: ['simulator'] },
  TICKMARK_URL: { type: urlValue(['http', 'https']), usedBy: ['cli'] },
  TICKMARK_CONSOLE_URL: { type: urlValue(['http', 'https']), usedBy: ['cli'] },
  TICKMARK_API_KEY: { type: textValue(), secret: true, usedBy: ['cli'] },
} as const satisfies Record<string, KeyDefinition>;
