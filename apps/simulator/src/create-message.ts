import { randomBytes } from 'node:crypto';
import { parseForm } from '@tickmark/twilio';
import { httpStatusOf, jsonAnswer, refusalAnswer, type Answer } from './answer.ts';
import type { Contacts } from './contacts.ts';
import { checkCreate, textOf, type CreateParams, type CreateRulesDeps } from './create-rules.ts';
import type { Faults } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { Lifecycle } from './lifecycle.ts';
import { behaviourOf } from './magic-recipients.ts';
import type { MessageStore, SimulatedMessage } from './message-store.ts';
import { planMessage, type Plan } from './plan.ts';
import { toResource } from './resource.ts';
import type { SenderPace } from './sender-pace.ts';
import type { FaultKind, Settings } from './settings.ts';
import { refusalOf } from './twilio-errors.ts';

export interface CreateMessageDeps extends CreateRulesDeps {
  accountSid: string;
  settings: () => Settings;
  faults: Faults;
  pace: SenderPace;
  contacts: Contacts;
  store: MessageStore;
  lifecycle: Lifecycle;
  ledger: Ledger;
  nowMs: () => number;
}

export interface CreateRequest {
  /** Null when the body is not form-encoded. */
  rawForm: string | null;
  arrivedAt: number;
  /** Set when the request was refused before it was read: wrong credentials, too many at once. */
  refused?: Answer | undefined;
  /** Whether the client has hung up meanwhile, so that no answer reaches it. */
  isGone: () => boolean;
}

/** A message may be created although its sender never learns of it. */
const ANSWERS_AFTER_CREATE: Partial<Record<FaultKind, (resource: Record<string, unknown>) => Answer>> = {
  'reset-after-create': () => 'reset',
  'stall-after-create': () => 'stall',
  'error-after-create': () => refusalAnswer(refusalOf(20500)),
  'unavailable-after-create': () => ({ status: 503, contentType: 'text/html', body: '<html>503 Service Unavailable</html>' }),
  'unparsable-201': (resource) => ({ status: 201, contentType: 'application/json', body: JSON.stringify(resource).slice(0, -40) }),
  'sidless-201': ({ sid: _sid, ...rest }) => jsonAnswer(201, rest),
};

const ANSWERS_BEFORE_CREATE: Partial<Record<FaultKind, () => Answer>> = {
  throttle: () => refusalAnswer(refusalOf(20429)),
  'proxy-429': () => ({ status: 429, contentType: 'text/html', body: '<html>429 Too Many Requests</html>' }),
  unauthorized: () => refusalAnswer(refusalOf(20003)),
  'error-before-create': () => refusalAnswer(refusalOf(20500)),
  'reset-before-create': () => 'reset',
  'stall-before-create': () => 'stall',
};

/** Twilio's create: faults, rules, refusals by recipient, then a message on its way. Every call leaves a row in the ledger. */
export function createMessageCreator(deps: CreateMessageDeps): (request: CreateRequest) => Promise<Answer> {
  return async ({ rawForm, arrivedAt, refused, isGone }) => {
    const form = parseForm(rawForm ?? '');
    const reference = readReference(textOf(form, 'StatusCallback'));
    const to = textOf(form, 'To');
    const row = { ...reference, to, from: textOf(form, 'From') ?? textOf(form, 'MessagingServiceSid'), at: arrivedAt, rawForm };
    const refuse = (answer: Answer): Answer => {
      deps.ledger.recordCreate({ ...row, sid: null, outcome: 'refused', httpStatus: httpStatusOf(answer) });
      return answer;
    };

    if (refused !== undefined) return refuse(refused);
    const identity = { ...reference, to: to ?? '' };
    const fate = deps.faults.fateOf(identity);
    const fault = deps.faults.pick(identity, fate);
    const early = fault === null ? undefined : ANSWERS_BEFORE_CREATE[fault];
    if (early) return refuse(early());
    const rules = checkCreate(form, deps, deps.nowMs());
    if (!rules.ok) return refuse(refusalAnswer(rules.refusal));
    const code = refusalByRecipient(rules.params, deps);
    if (code !== null) return refuse(refusalAnswer(refusalOf(code)));
    const queueWaitMs = reserveTime(rules.params, deps);
    if (queueWaitMs === null && rules.params.messagingServiceSid === null) return refuse(refusalAnswer(refusalOf(21611)));

    const message = toMessage(rules.params, fate, deps.nowMs());
    const plan = planFor(rules.params, fate, queueWaitMs, deps);
    // The answer tells what was true at the creation, whatever happens before it goes out.
    const resource = toResource(message, deps.accountSid);
    const late = fault === null ? undefined : ANSWERS_AFTER_CREATE[fault];
    const answer = late ? late(resource) : jsonAnswer(201, resource);
    const gone = isGone();
    deps.store.add(message);
    deps.ledger.recordCreate({
      ...row,
      sid: message.sid,
      outcome: late || gone ? 'created-answer-lost' : 'created',
      httpStatus: gone ? null : httpStatusOf(answer),
    });
    await sendOff(message, plan, rules.params.sendAt, deps);
    return answer;
  };
}

/** `m` and `a` of the callback URL's query, as our own sender writes them. */
function readReference(statusCallback: string | null): { m: string | null; a: number | null } {
  const query = /\?([^#]*)/.exec(statusCallback ?? '')?.[1];
  if (query === undefined) return { m: null, a: null };
  const params = new URLSearchParams(query);
  const attempt = Number(params.get('a') ?? NaN);
  return { m: params.get('m'), a: Number.isSafeInteger(attempt) ? attempt : null };
}

function refusalByRecipient({ to, from, messagingServiceSid }: CreateParams, { contacts }: CreateMessageDeps): number | null {
  const { refuseWith } = behaviourOf(to);
  if (refuseWith !== undefined) return refuseWith;
  return [from, messagingServiceSid].some((sender) => sender !== null && contacts.hasOptedOut(sender, to)) ? 21610 : null;
}

/** A scheduled message takes no place in the queue before its time. */
function reserveTime({ from, messagingServiceSid, sendAt }: CreateParams, { pace, nowMs }: CreateMessageDeps): number | null {
  return sendAt === null ? pace.reserve(messagingServiceSid ?? from ?? '', nowMs()) : 0;
}

function planFor(params: CreateParams, fate: number, queueWaitMs: number | null, deps: CreateMessageDeps): Plan {
  const { to, from, messagingServiceSid } = params;
  const chosen = from ?? (messagingServiceSid === null ? '' : deps.senders.addressFor(messagingServiceSid, to));
  const windowOpen = [chosen, messagingServiceSid ?? chosen].some((sender) => deps.contacts.hasOpenWindow(sender, to, deps.nowMs()));
  return planMessage(
    {
      fate,
      behaviour: behaviourOf(to),
      template: params.contentSid !== null,
      viaService: messagingServiceSid !== null,
      windowOpen,
      queueWaitMs,
      validityPeriodSeconds: params.validityPeriodSeconds,
    },
    deps.settings(),
  );
}

function toMessage(params: CreateParams, fate: number, nowMs: number): SimulatedMessage {
  const { to, from, messagingServiceSid, contentSid, contentVariables, mediaCount, sendAt } = params;
  return {
    sid: `${mediaCount > 0 ? 'MM' : 'SM'}${randomBytes(16).toString('hex')}`,
    to,
    from,
    messagingServiceSid,
    body: params.body ?? (contentSid === null ? '' : `Template ${contentSid} ${contentVariables ?? ''}`.trimEnd()),
    mediaCount,
    direction: 'outbound-api',
    status: sendAt !== null ? 'scheduled' : messagingServiceSid !== null ? 'accepted' : 'queued',
    errorCode: null,
    createdAt: nowMs,
    updatedAt: nowMs,
    sentAt: null,
    statusCallback: params.statusCallback,
    template: contentSid !== null,
    fate,
  };
}

async function sendOff(message: SimulatedMessage, plan: Plan, sendAt: number | null, deps: CreateMessageDeps): Promise<void> {
  if (sendAt !== null) deps.lifecycle.start(message, plan, sendAt - deps.nowMs());
  else deps.lifecycle.start(message, plan.beforeAnswer ? await deps.lifecycle.hasten(message, plan) : plan);
}
