import type { FormParams } from '@tickmark/twilio';
import { jsonAnswer, refusalAnswer, type Answer } from './answer.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { MessageStore, SimulatedMessage } from './message-store.ts';
import { toResource } from './resource.ts';
import { refusalOf } from './twilio-errors.ts';

export interface MessageActionsDeps {
  accountSid: string;
  store: MessageStore;
  lifecycle: Pick<Lifecycle, 'cancel'>;
  nowMs: () => number;
}

/** A message that is still on its way can be neither redacted nor deleted. `sent` counts as finished: it may stay so for ever. */
const ON_ITS_WAY = new Set(['accepted', 'scheduled', 'queued', 'sending']);

/**
 * Cancels (`Status=canceled`, scheduled messages only) or redacts (`Body=` empty, once the message has ended); never both in one request.
 */
export function updateMessage(sid: string, form: FormParams, { accountSid, store, lifecycle, nowMs }: MessageActionsDeps): Answer {
  const message = store.get(sid);
  if (!message) return notFound(sid, accountSid);
  const status = form['Status'];
  const body = form['Body'];
  if ((status === undefined) === (body === undefined)) return refusalAnswer(refusalOf(30400));
  if (status !== undefined) {
    if (status !== 'canceled') return refusalAnswer(refusalOf(30400));
    if (message.status !== 'scheduled') return refusalAnswer(refusalOf(30409));
    lifecycle.cancel(message);
  } else {
    if (body !== '') return refusalAnswer(refusalOf(30400));
    if (ON_ITS_WAY.has(message.status)) return refusalAnswer(refusalOf(20009));
    redact(message, nowMs());
  }
  return jsonAnswer(200, toResource(message, accountSid));
}

export function fetchMessage(sid: string, { accountSid, store }: MessageActionsDeps): Answer {
  const message = store.get(sid);
  return message ? jsonAnswer(200, toResource(message, accountSid)) : notFound(sid, accountSid);
}

export function deleteMessage(sid: string, { accountSid, store }: MessageActionsDeps): Answer {
  const message = store.get(sid);
  if (!message) return notFound(sid, accountSid);
  if (ON_ITS_WAY.has(message.status)) return refusalAnswer(refusalOf(20009));
  store.remove(sid);
  return { status: 204, contentType: 'application/json', body: '' };
}

function redact(message: SimulatedMessage, nowMs: number): void {
  message.body = '';
  message.updatedAt = nowMs;
}

function notFound(sid: string, accountSid: string): Answer {
  return refusalAnswer(refusalOf(20404, `The requested resource /2010-04-01/Accounts/${accountSid}/Messages/${sid}.json was not found`));
}
