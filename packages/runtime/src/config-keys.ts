// The length is that of a table: one entry per environment variable, from which the checks and the documentation are made.
import type { z } from 'zod';
import {
  accountSidRule,
  apiKeySecretRule,
  apiKeySidRule,
  apiOverTlsRule,
  authTokenRule,
  livePaceRule,
  neverTwilioRule,
  notInLiveRule,
  onlyInSimulatorRule,
  PLACEHOLDER,
  publicBaseUrlRule,
  sandboxPaceRule,
  sessionSecretRule,
  TWILIO_MODES,
  type Rule,
  type TwilioMode,
} from './config-rules.ts';
import {
  connectionValue,
  failpointsValue,
  integerValue,
  listValue,
  nameValue,
  numberValue,
  oneOf,
  portValue,
  switchValue,
  textValue,
  trustedProxiesValue,
  urlValue,
} from './config-types.ts';

/** What can be started with this configuration. */
export type ConfigProcess = 'ingress' | 'worker' | 'console' | 'simulator' | 'migrate' | 'cli';

type ConfigSection =
  | 'Mode and logs'
  | 'Stores'
  | 'Addresses'
  | 'Twilio'
  | 'Senders and callbacks'
  | 'Access'
  | 'Sending'
  | 'Retention and local files'
  | 'Development and tests'
  | 'Command line';

export interface KeyDefinition {
  section: ConfigSection;
  type: z.ZodType<unknown, string>;
  /** One line: what it is for. */
  help: string;
  /** Lines for `.env.production.example`: what to know before changing it, where to get it. */
  notes?: readonly string[];
  /** Empty: agreed, but nothing reads it yet. */
  usedBy: readonly ConfigProcess[];
  /** Becomes a Secret, or what the caller's parser makes of it; its text is never shown. */
  secret?: true;
  required?: true;
  /** Its text is a path, and its value what the caller's parser makes of that file, as with `X_FILE`. */
  namesFile?: true;
  /** The text that stands for an absent key. */
  default?: string;
  /** The same, but for one mode only; `read` gives the text of another key. */
  defaultIn?: Partial<Record<TwilioMode, { says: string; text: (read: (key: string) => string | undefined) => string }>>;
  rules?: readonly Rule[];
  /** Its line in `.env.example`, for simulator mode; absent = commented out. */
  example?: string;
  /** True when `example` is a key or a credential: everybody knows it, so it is refused outside simulator mode. */
  exampleIsPublic?: true;
  /** Its line in `.env.production.example`; absent = commented out. */
  production?: string;
}

/** SHA-256 of the key `tickmark-development-key`, which `.env.example` gives to TICKMARK_API_KEY. */
const DEVELOPMENT_KEY_HASH = '0afe9b932567dd9301d56f7aa67060b30a295c060cc922fa084c6dd069f47d30';

export const CONFIG_KEYS = {
  TWILIO_MODE: {
    section: 'Mode and logs',
    type: oneOf(TWILIO_MODES),
    help: 'simulator (never calls Twilio), sandbox (Twilio, its shared test sender) or live. All safety rules follow it, and nothing else.',
    usedBy: ['ingress', 'worker', 'console'],
    required: true,
    example: 'simulator',
    production: 'live',
  },
  LOG_LEVEL: {
    section: 'Mode and logs',
    type: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    help: 'The least grave lines that are written: trace, debug, info, warn, error, fatal or silent (none).',
    usedBy: ['ingress', 'worker', 'console', 'simulator'],
    default: 'info',
  },
  DATABASE_URL: {
    section: 'Stores',
    type: connectionValue(['postgres', 'postgresql']),
    help: 'PostgreSQL 15 or newer.',
    notes: [
      'For example postgres://user:password@host:5432/name?sslmode=verify-full',
      'The ingress never needs it: give it to worker, console, migrate and the commands that stop and resume sending.',
    ],
    usedBy: ['worker', 'console', 'migrate', 'cli'],
    secret: true,
    required: true,
    example: 'postgres://tickmark:tickmark@127.0.0.1:5432/tickmark',
    production: PLACEHOLDER,
  },
  DATABASE_PREPARE: {
    section: 'Stores',
    type: switchValue(),
    help: 'Named prepared statements: on, or off behind a pooler in transaction mode (PgBouncer).',
    usedBy: ['worker', 'console', 'cli'],
    default: 'on',
  },
  REDIS_URL: {
    section: 'Stores',
    type: connectionValue(['redis', 'rediss']),
    help: 'Redis 7.0 or newer, or Valkey 7.2 or newer, with maxmemory-policy noeviction.',
    notes: [
      'For example rediss://user:password@host:6379 (rediss = with TLS).',
      'Accepted messages wait there until their row is written: run it with appendonly yes, appendfsync always, and not as a cache.',
    ],
    usedBy: ['ingress', 'worker', 'console'],
    secret: true,
    required: true,
    example: 'redis://127.0.0.1:6379',
    production: PLACEHOLDER,
  },
  QUEUE_PREFIX: {
    section: 'Stores',
    type: nameValue(),
    help: 'Begins the name of every key in Redis. Two systems on one Redis need two.',
    notes: ['Jobs under the old prefix are left behind when it changes: drain the queues first.'],
    usedBy: ['ingress', 'worker', 'console'],
    default: 'tickmark',
  },
  QUEUE_LOCK_MS: {
    section: 'Stores',
    type: integerValue(1_000, 600_000),
    help: 'How long a job belongs to a worker that no longer renews it. Absent: 30000 for send jobs, 10000 for the others.',
    notes: ['Shorter recovers sooner from a killed worker; below 20000 a slow Twilio call outlives its lock.'],
    usedBy: ['worker'],
  },
  QUEUE_STALLED_MS: {
    section: 'Stores',
    type: integerValue(500, 600_000),
    help: 'How often workers look for jobs whose lock has run out. Absent: 15000 for send jobs, 5000 for the others.',
    usedBy: ['worker'],
  },
  PUBLIC_BASE_URL: {
    section: 'Addresses',
    type: urlValue(),
    help: 'Where Twilio reaches the ingress from outside. Callback URLs and signature checks are built from it.',
    notes: [
      'For example https://messages.example.com',
      'It must be exactly what Twilio calls, or every callback is refused as forged.',
      'It may have a path, which a proxy in front may remove or pass on: both work.',
    ],
    usedBy: ['ingress', 'worker', 'simulator'],
    required: true,
    rules: [publicBaseUrlRule],
    example: 'http://127.0.0.1:3000',
    production: PLACEHOLDER,
  },
  LISTEN_HOST: {
    section: 'Addresses',
    type: textValue(),
    help: 'The address that all servers of a process listen on; 0.0.0.0 in containers.',
    usedBy: ['ingress', 'worker', 'console', 'simulator'],
    default: '127.0.0.1',
    production: '0.0.0.0',
  },
  INGRESS_PORT: {
    section: 'Addresses',
    type: portValue(),
    help: 'Port of the ingress, for producers and for Twilio.',
    usedBy: ['ingress'],
    default: '3000',
  },
  CONSOLE_PORT: {
    section: 'Addresses',
    type: portValue(),
    help: 'Port of the console, for staff only.',
    usedBy: ['console'],
    default: '3001',
  },
  METRICS_PORT: {
    section: 'Addresses',
    type: portValue(),
    help: 'Port of /metrics, /health/live and /health/ready. Absent: 9464 ingress, 9465 worker, 9466 console, 9467 simulator, or the next free one. 0 = any.',
    notes: ['It answers without a key: keep it inside the cluster.', 'A given port that is taken ends the process.'],
    usedBy: ['ingress', 'worker', 'console', 'simulator'],
  },
  TRUST_PROXY: {
    section: 'Addresses',
    type: trustedProxiesValue(),
    help: 'Proxies that are believed about the address of a caller: off, their number, or their addresses joined by commas.',
    notes: ['Signatures never depend on it. Behind one load balancer: 1.'],
    usedBy: ['ingress', 'console'],
    default: 'off',
  },
  TWILIO_ACCOUNT_SID: {
    section: 'Twilio',
    type: textValue(),
    help: 'The Twilio account; callbacks of any other are refused.',
    notes: ['An account SID alone opens nothing, but keep it out of public places.'],
    usedBy: ['ingress', 'worker', 'simulator'],
    required: true,
    rules: [accountSidRule],
    example: 'AC00000000000000000000000000000000',
    exampleIsPublic: true,
    production: PLACEHOLDER,
  },
  TWILIO_API_KEY_SID: {
    section: 'Twilio',
    type: textValue(),
    help: 'The API key that messages are created with.',
    notes: ['A restricted key that may create and read Messages is enough.'],
    usedBy: ['worker', 'simulator'],
    required: true,
    rules: [apiKeySidRule],
    example: 'SK00000000000000000000000000000000',
    exampleIsPublic: true,
    production: PLACEHOLDER,
  },
  TWILIO_API_KEY_SECRET: {
    section: 'Twilio',
    type: textValue(),
    help: 'The secret of that API key.',
    notes: ['Whoever has it can send messages at your cost.', 'Only the worker needs it.'],
    usedBy: ['worker', 'simulator'],
    secret: true,
    required: true,
    rules: [apiKeySecretRule],
    example: 'simulatorApiKeySecret00000000000',
    exampleIsPublic: true,
    production: PLACEHOLDER,
  },
  TWILIO_AUTH_TOKEN: {
    section: 'Twilio',
    type: textValue(),
    help: "The account's auth token: Twilio signs callbacks with it.",
    notes: ['Whoever has it can forge callbacks and do everything with the account.', 'Only the ingress needs it, only to verify.'],
    usedBy: ['ingress', 'simulator'],
    secret: true,
    required: true,
    rules: [authTokenRule],
    example: '00000000000000000000000000000000',
    exampleIsPublic: true,
    production: PLACEHOLDER,
  },
  TWILIO_AUTH_TOKEN_NEXT: {
    section: 'Twilio',
    type: textValue(),
    help: 'A second auth token whose signatures are accepted too, while the first is being replaced.',
    notes: [
      'Create the secondary token, put it here, promote it, then move it to TWILIO_AUTH_TOKEN: no callback is lost.',
      'Both from files need no restart: let both hold the same token between rotations, and wait 5 s after each change.',
    ],
    usedBy: ['ingress'],
    secret: true,
    rules: [authTokenRule],
  },
  TWILIO_BASE_URL: {
    section: 'Twilio',
    type: urlValue(),
    help: "Where Twilio's API is. Absent outside simulator mode: api.twilio.com.",
    usedBy: ['worker'],
    defaultIn: {
      simulator: { says: 'http://127.0.0.1 and SIMULATOR_PORT', text: (read) => `http://127.0.0.1:${read('SIMULATOR_PORT') ?? '4010'}` },
    },
    rules: [neverTwilioRule, apiOverTlsRule],
  },
  TWILIO_REGION: {
    section: 'Twilio',
    type: nameValue(),
    help: 'Twilio region that holds the account and the API key, such as ie1. Absent: us1.',
    notes: ['A key of one region is refused by another (error 20003).'],
    usedBy: ['worker'],
  },
  TWILIO_EDGE: {
    section: 'Twilio',
    type: nameValue(),
    help: "Where calls enter Twilio's network, such as dublin.",
    usedBy: ['worker'],
  },
  TWILIO_SENDERS: {
    section: 'Senders and callbacks',
    type: textValue(),
    help: 'Senders and their messages per second: [alias@]address=mps, joined by commas. The first is the default one.',
    notes: [
      'For example support@whatsapp:+<number>=80,news@MG<32 hex>=400. An alias (a-z, 0-9, hyphens) names the queue and the metrics.',
      'Read once into the database; afterwards the console changes pace and state of a sender.',
    ],
    usedBy: ['ingress', 'worker', 'simulator'],
    required: true,
    rules: [sandboxPaceRule, livePaceRule],
    example: 'support@whatsapp:+14155238886=80,shop@whatsapp:+14155238887=80,news@MG00000000000000000000000000000001=400',
    production: PLACEHOLDER,
  },
  STATUS_CALLBACKS: {
    section: 'Senders and callbacks',
    type: switchValue(),
    help: 'Whether Twilio is asked to call back for every status.',
    notes: ['off leaves only polling, and an outcome that was lost cannot be proven: for tests.'],
    usedBy: ['worker'],
    default: 'on',
  },
  STATUS_CALLBACK_OVERRIDES: {
    section: 'Senders and callbacks',
    type: textValue(),
    help: "Twilio's connection overrides for status callbacks: how often and upon what it tries again, within 15 seconds in all.",
    usedBy: ['worker'],
    default: 'rc=5&rp=ct,rt,5xx&ct=2000&rt=4000',
  },
  RECONCILE_CONCURRENCY: {
    section: 'Senders and callbacks',
    type: integerValue(1, 100),
    help: 'Questions to Twilio at the same time when unknown outcomes are looked up, and as many when missed callbacks are.',
    usedBy: ['worker'],
    default: '2',
  },
  RECONCILE_REQUESTS_PER_SECOND: {
    section: 'Senders and callbacks',
    type: numberValue(0.1),
    help: 'The most that looking up unknown outcomes and missed callbacks may ask of Twilio.',
    usedBy: ['worker'],
    default: '5',
  },
  API_KEYS: {
    section: 'Access',
    type: textValue(),
    help: 'Who may call: name:sha256hex[:scopes[:aliases[:expiry]]], joined by commas; scopes send, read, admin joined by +.',
    notes: [
      'Make a key with openssl rand -hex 32, give it to its user, and put the output of printf %s <key> | sha256sum here.',
      'For example shop:<64 hex>:send+read,staff:<64 hex>:read+admin::2027-12-31. No scopes = send, no aliases = all senders.',
      'The name is the namespace of idempotency keys: to rotate, give two keys one name for a while.',
    ],
    usedBy: ['ingress', 'console'],
    secret: true,
    required: true,
    example: `development:${DEVELOPMENT_KEY_HASH}:send+read+admin`,
    exampleIsPublic: true,
    production: PLACEHOLDER,
  },
  RATE_LIMIT_PER_KEY: {
    section: 'Access',
    type: numberValue(0),
    help: 'Requests per second that one key may make; 0 = no limit.',
    usedBy: ['ingress'],
    default: '1000',
  },
  SESSION_SECRET: {
    section: 'Access',
    type: textValue(),
    help: 'Signs the sessions of people in the console.',
    notes: ['Make one with openssl rand -hex 32.'],
    usedBy: [],
    secret: true,
    rules: [sessionSecretRule],
  },
  ENCRYPTION_KEYS: {
    section: 'Access',
    type: textValue(),
    help: 'Keys that message contents are encrypted with in the database.',
    notes: ['Whoever loses them loses the contents.'],
    usedBy: [],
    secret: true,
  },
  WORKER_CONCURRENCY: {
    section: 'Sending',
    type: integerValue(1, 10_000),
    help: 'Create calls in flight per process over all senders; the HTTP pool is equal.',
    notes: ['Rate times latency: 50 calls of 150 ms are about 330 messages per second.'],
    usedBy: ['worker'],
    default: '50',
  },
  ALLOWED_RECIPIENTS: {
    section: 'Sending',
    type: listValue(),
    help: 'The only recipients that messages are accepted for outside live mode, joined by commas. Absent: everybody.',
    usedBy: ['ingress'],
    rules: [notInLiveRule],
  },
  WINDOW_GUARD: {
    section: 'Sending',
    type: oneOf(['auto', 'enforce', 'off']),
    help: 'Whether free text outside the 24-hour customer-service window is refused: auto (once a sender has had a day of inbound), enforce or off.',
    notes: [
      'Twilio accepts such a message and fails it later (63016). The claim fails it without a call, from 15 minutes before the window closes.',
      'auto needs inbound messages: point the senders (or the Messaging Service) at /webhooks/twilio/inbound.',
    ],
    usedBy: ['worker'],
    default: 'auto',
  },
  STOP_WORDS_FILE: {
    section: 'Sending',
    type: textValue(),
    namesFile: true,
    help: 'A file of words, one per line, by which a recipient opts out. Absent: the built-in ones, in eighteen languages.',
    notes: [
      'A whole message that is such a word, whatever its case, accents and signs, suppresses its sender. Words to opt in again stand behind start:',
      'The words of the file take the place of the built-in ones, unless a line says +built-in. It is read again within 5 s of a change.',
    ],
    usedBy: ['worker'],
  },
  RETENTION_BODY_DAYS: {
    section: 'Retention and local files',
    type: integerValue(0, 36_500),
    help: 'Days after which contents of messages, in and out, are removed: of those that Twilio has, or that ended.',
    notes: ['What still waits to be sent, is held or has an unknown outcome keeps its content.'],
    usedBy: ['worker'],
    default: '30',
  },
  RETENTION_DAYS: {
    section: 'Retention and local files',
    type: integerValue(1, 36_500),
    help: 'Days after which the rows of finished messages are archived in ARCHIVE_DIR and deleted.',
    notes: ['Counted from the last change. Messages of which Twilio never told how they ended stay, without their content.'],
    usedBy: ['worker'],
    default: '365',
  },
  RETENTION_REDACT_AT_TWILIO: {
    section: 'Retention and local files',
    type: switchValue(),
    help: 'Whether contents that are removed here are removed at Twilio as well.',
    notes: [
      'One request per message, within RECONCILE_REQUESTS_PER_SECOND; a content that Twilio did not remove stays here until it does.',
      'A restricted API key needs the permission to update Messages.',
    ],
    usedBy: ['worker'],
    default: 'off',
  },
  ARCHIVE_DIR: {
    section: 'Retention and local files',
    type: textValue(),
    help: 'Where rows are archived before they are deleted. Absent: no row is ever deleted.',
    notes: [
      'One folder for all workers, on a volume that they share; it holds personal data. tickmark restore puts rows back from it.',
      'Copies that you make of it are yours to erase: an erasure rewrites this folder alone.',
    ],
    usedBy: ['worker', 'cli'],
  },
  SPOOL_DIR: {
    section: 'Retention and local files',
    type: textValue(),
    help: 'Where callbacks wait on disk while Redis is away.',
    notes: [
      'It needs a persistent volume per replica: without one, what waits there ends with the container.',
      'A folder in that volume, not its root, and one per replica: processes of two containers or machines must not share it.',
      'Lines that are damaged are put aside in its folder damaged. They hold texts of people, nobody removes them, and SPOOL_BYTES_MAX does not count them.',
    ],
    usedBy: ['ingress'],
    default: '.data/spool',
  },
  SPOOL_BYTES_MAX: {
    section: 'Retention and local files',
    type: integerValue(1_048_576, Number.MAX_SAFE_INTEGER),
    help: 'The most that may wait there, in bytes; beyond it callbacks are answered 503.',
    usedBy: ['ingress'],
    default: '1073741824',
  },
  SIMULATOR_PORT: {
    section: 'Development and tests',
    type: portValue(),
    help: 'Port of the simulator.',
    usedBy: ['simulator'],
    default: '4010',
  },
  SIMULATOR_SETTINGS: {
    section: 'Development and tests',
    type: textValue(),
    help: 'How the simulator behaves from its start, as JSON.',
    usedBy: ['simulator'],
  },
  FAILPOINTS: {
    section: 'Development and tests',
    type: failpointsValue(),
    help: 'Lines at which the process stops to be killed there: name[:nth], joined by commas.',
    usedBy: ['ingress', 'worker'],
    rules: [onlyInSimulatorRule],
  },
  TICKMARK_URL: {
    section: 'Command line',
    type: urlValue(),
    help: 'The ingress, for the commands that will send through it.',
    usedBy: ['cli'],
    example: 'http://127.0.0.1:3000',
  },
  TICKMARK_CONSOLE_URL: {
    section: 'Command line',
    type: urlValue(),
    help: 'The console that tickmark status talks to.',
    usedBy: ['cli'],
    example: 'http://127.0.0.1:3001',
  },
  TICKMARK_API_KEY: {
    section: 'Command line',
    type: textValue(),
    help: 'The key that the commands identify themselves with: in clear, one whose hash is in API_KEYS.',
    notes: ["Keep it in the operator's environment, never beside the services."],
    usedBy: ['cli'],
    secret: true,
    example: 'tickmark-development-key',
  },
} as const satisfies Record<string, KeyDefinition>;
