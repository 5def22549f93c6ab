import type { FaultKind } from './settings.ts';

/** Statuses of Twilio's resource that a message can go through after it was sent off. */
type StepStatus = 'sent' | 'delivered' | 'read' | 'failed' | 'undelivered';

/** One step of a message's way: a status of the resource, or a word that only a callback carries. */
export type Step = { status: StepStatus; errorCode?: number } | { word: string };

export interface Behaviour {
  /** Every create is refused at once with this code. */
  refuseWith?: number;
  /** The first tries of each message meet this fault, later ones succeed. */
  firstTries?: { kind: FaultKind; tries: number };
  /** What follows `sending`; none given = sent, delivered, read. */
  steps?: readonly Step[];
  /** The steps hold for templates only; other messages are delivered and read. */
  templatesOnly?: true;
  callbacks?: { duplicate?: true; drop?: true; reorder?: true; beforeAnswer?: true };
}

export interface MagicRecipient {
  /** The last five digits of the number. */
  code: string;
  /** What happens, in one line of the documentation's table. */
  outcome: string;
  behaviour: Behaviour;
}

export const DELIVERED_AND_READ: readonly Step[] = [{ status: 'sent' }, { status: 'delivered' }, { status: 'read' }];
const NUMBER = /^whatsapp:\+1500\d\d(\d{5})$/;

const refused = (code: number, outcome: string): MagicRecipient => ({
  code: String(code),
  outcome: `create refused: ${outcome}`,
  behaviour: { refuseWith: code },
});
const failed = (code: number, outcome: string): MagicRecipient => ({
  code: String(code),
  outcome: `failed ${code}: ${outcome}`,
  behaviour: { steps: [{ status: 'failed', errorCode: code }] },
});
const undelivered = (code: number, outcome: string, extra: Behaviour = {}): MagicRecipient => ({
  code: String(code),
  outcome: `sent, then undelivered ${code}: ${outcome}`,
  behaviour: { steps: [{ status: 'sent' }, { status: 'undelivered', errorCode: code }], ...extra },
});
const firstTry = (code: string, kind: FaultKind, outcome: string, tries = 1): MagicRecipient => ({
  code,
  outcome: `${tries === 1 ? 'first try' : `first ${tries} tries`}: ${outcome}; then delivered and read`,
  behaviour: { firstTries: { kind, tries } },
});

/**
 * What happens to a message to `whatsapp:+1500VVccccc`, by its last five digits. VV is free (00 to 99), so that a hundred recipients
 * share each outcome. Every other recipient is delivered and read. The numbers are possible ones, so that they pass validation.
 */
export const MAGIC_RECIPIENTS: readonly MagicRecipient[] = [
  { code: '00001', outcome: 'delivered, never read', behaviour: { steps: [{ status: 'sent' }, { status: 'delivered' }] } },
  { code: '00002', outcome: 'sent for ever', behaviour: { steps: [{ status: 'sent' }] } },
  { code: '00003', outcome: 'read without a delivered before it', behaviour: { steps: [{ status: 'sent' }, { status: 'read' }] } },
  { code: '00004', outcome: 'queued for ever: no callback at all', behaviour: { steps: [] } },
  { code: '00011', outcome: 'delivered and read, every callback twice', behaviour: { callbacks: { duplicate: true } } },
  { code: '00012', outcome: 'delivered and read, callbacks in reverse order', behaviour: { callbacks: { reorder: true } } },
  {
    code: '00013',
    outcome: 'contradiction: sent, undelivered 63024, then delivered after all',
    behaviour: { steps: [{ status: 'sent' }, { status: 'undelivered', errorCode: 63024 }, { status: 'delivered' }] },
  },
  {
    code: '00014',
    outcome: 'delivered and read, with a callback of the unknown status `transmitted` in between',
    behaviour: { steps: [{ status: 'sent' }, { word: 'transmitted' }, { status: 'delivered' }, { status: 'read' }] },
  },
  { code: '00015', outcome: 'delivered and read, all callbacks lost', behaviour: { callbacks: { drop: true } } },
  {
    code: '00016',
    outcome: 'delivered and read, first callback before the answer to create',
    behaviour: { callbacks: { beforeAnswer: true } },
  },
  {
    code: '00017',
    outcome: 'contradiction: sent, delivered, then undelivered 63024',
    behaviour: { steps: [{ status: 'sent' }, { status: 'delivered' }, { status: 'undelivered', errorCode: 63024 }] },
  },
  refused(20003, 'HTTP 401, credentials refused'),
  refused(21211, 'invalid recipient'),
  refused(21408, 'no permission for the region'),
  refused(21610, 'recipient has opted out'),
  refused(21611, "the sender's queue is full"),
  refused(21612, 'sender and recipient do not go together'),
  refused(21614, 'no mobile number'),
  refused(63007, 'the sender is not known'),
  firstTry('42901', 'throttle', 'HTTP 429 with 20429, not created'),
  firstTry('42902', 'throttle', 'HTTP 429 with 20429, not created', 2),
  firstTry('42903', 'throttle', 'HTTP 429 with 20429, not created', 3),
  firstTry('42905', 'throttle', 'HTTP 429 with 20429, not created', 5),
  firstTry('42909', 'throttle', 'HTTP 429 with 20429, not created', 9),
  firstTry('50000', 'error-before-create', 'HTTP 500, not created'),
  firstTry('50001', 'reset-after-create', 'created, then the connection is reset'),
  firstTry('50002', 'error-after-create', 'created, but answered with HTTP 500'),
  firstTry('50003', 'unavailable-after-create', 'created, but answered with HTTP 503 without JSON'),
  firstTry('50004', 'stall-after-create', 'created, but never answered'),
  firstTry('50005', 'unparsable-201', 'created, but the JSON of the answer is cut off'),
  firstTry('50006', 'sidless-201', 'created, but the answer has no sid'),
  firstTry('50007', 'proxy-429', 'HTTP 429 of a proxy without a code, not created'),
  firstTry('50008', 'stall-before-create', 'never answered and not created'),
  firstTry('50009', 'reset-before-create', 'the connection is reset and nothing was created'),
  failed(30001, 'queue overflow'),
  failed(30008, 'unknown error'),
  failed(30036, 'validity period expired'),
  failed(30410, 'provider timeout'),
  failed(63005, 'content not accepted by the channel'),
  failed(63010, 'internal error of the channel'),
  failed(63012, 'the channel answered 5xx'),
  failed(63013, 'channel policy violation'),
  failed(63016, 'free-form message outside the window'),
  failed(63018, 'rate limit of the channel'),
  failed(63019, 'media could not be downloaded'),
  failed(63020, 'business manager invitation not accepted'),
  failed(63027, 'template missing or not matching'),
  failed(63038, "account's daily limit reached"),
  failed(63041, 'template paused'),
  failed(63051, 'WhatsApp account locked'),
  undelivered(30003, 'handset unreachable'),
  undelivered(63003, 'not found on WhatsApp'),
  undelivered(63014, 'blocked by the user'),
  undelivered(63024, 'invalid recipient'),
  undelivered(63032, "in one of Meta's experiments"),
  undelivered(63033, 'opted out of marketing'),
  undelivered(63049, 'Meta chose not to deliver this marketing message (templates only; others are delivered and read)', {
    templatesOnly: true,
  }),
];

const BY_CODE: ReadonlyMap<string, Behaviour> = new Map(MAGIC_RECIPIENTS.map(({ code, behaviour }) => [code, behaviour]));
const ORDINARY: Behaviour = {};

/** What this recipient (`whatsapp:+…`) is there to show; an empty behaviour for an ordinary one. */
export function behaviourOf(recipient: string): Behaviour {
  return BY_CODE.get(NUMBER.exec(recipient)?.[1] ?? '') ?? ORDINARY;
}
