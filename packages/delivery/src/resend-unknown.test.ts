import { randomUUID } from 'node:crypto';
import { newMessageId, type AcceptedMessage } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { adoptListed } from './adopt-listed.ts';
import { applyStatuses } from './apply-statuses.ts';
import { accepted, deliveryRoom, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { listedFor, moveClaim, unknownMessage } from './fixtures/unknown-rows.ts';
import { recordOutcome } from './record-outcome.ts';
import { resendUnknown } from './resend-unknown.ts';

const room = deliveryRoom();

const byPolicy = (id: string, attempt = 1) => resendUnknown(room.db, { id, attempt, by: 'policy' });
const byOperator = (id: string, attempt = 1) => resendUnknown(room.db, { id, attempt, by: { actor: 'ops', reason: 'the list is empty' } });

describe('a message whose absence is proven twice', () => {
  it('waits again at once when its policy is resend, and the claim makes it a second attempt', async () => {
    const { id } = await absent();
    expect(await byPolicy(id)).toEqual({ id, sender: 'support', priority: 'bulk' });
    expect(await room.row(id)).toMatchObject({ status: 'retrying', attempts: 1, resends: 1, message_sid: null });
    expect(await byPolicy(id)).toBeNull();
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed', request: { attempt: 2 } });
    expect(await room.attempts(id)).toMatchObject([{ attempt: 1, outcome: 'unknown' }]);
    expect(await audits(id)).toEqual([{ actor: 'system', action: 'unknown_resent', reason: null, details: { attempt: 1 } }]);
  });

  it('waits again when an operator decides it, whatever its policy, and their words are kept', async () => {
    const { id } = await absent({ onUnknown: 'hold' });
    expect(await byPolicy(id)).toBeNull();
    expect(await byOperator(id)).toMatchObject({ id });
    expect(await audits(id)).toEqual([{ actor: 'ops', action: 'unknown_resent', reason: 'the list is empty', details: { attempt: 1 } }]);
  });

  it('a callback of the attempt that is said to be absent averts the resend', async () => {
    const { id } = await absent();
    await byPolicy(id);
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'sent' })]));
    expect(await room.row(id)).toMatchObject({ status: 'sent' });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended' });
  });
});

describe('no resend', () => {
  const cases: [name: string, make: () => Promise<{ id: string; attempt?: number }>][] = [
    ['with one absence', () => absent({}, { absences: 1 })],
    ['without any', () => unknownMessage(room, 400, { onUnknown: 'resend' })],
    ['before five minutes', () => absent({}, { ageSeconds: 295 })],
    ['of another attempt than was looked for', async () => ({ id: (await absent()).id, attempt: 2 })],
    ['of a row that has its sid', resolvedMeanwhile],
    ['of a row whose retry sends it', retriedAlready],
    ['of a row that does not exist', () => Promise.resolve({ id: randomUUID() })],
  ];
  it.each(cases)('%s, by policy or by an operator', async (_name, make) => {
    const { id, attempt } = await make();
    const before = await room.row(id);
    expect([await byPolicy(id, attempt), await byOperator(id, attempt)]).toEqual([null, null]);
    expect(await room.row(id)).toEqual(before);
  });

  it('a second time by policy: what is unknown again is for a person', async () => {
    const { id } = await absent();
    await byPolicy(id);
    const { token } = await room.claim(id);
    valuesOf(await recordOutcome(room.db, [{ id, attempt: 2, token, outcome: unknownOutcome() }]));
    await moveClaim(room, id, 400);
    await proveAbsent(id, 2, 2);
    expect(await byPolicy(id, 2)).toBeNull();
    expect(await byOperator(id, 2)).toMatchObject({ id });
  });

  it('by policy while another message of the pair adopted a sid that might be this one’s', async () => {
    const first = await unknownMessage(room, 405, { onUnknown: 'resend' });
    const { senderAddress, recipient, body } = first;
    const second = await unknownMessage(room, 400, { senderAddress, recipient, body, onUnknown: 'resend' });
    const listed = listedFor(first, 404);
    const { verdicts } = await adoptListed(room.db, { senderAddress, recipient, messages: [listed] });
    const adopter = verdicts.find(({ kind }) => kind === 'adopted')?.id;
    const other = adopter === first.id ? second : first;
    await proveAbsent(other.id);
    expect(await byPolicy(other.id)).toBeNull();
    // Its owner is known now, and it is this one: the other may be sent.
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: other.id, attempt: 1, messageSid: listed.messageSid })]));
    await proveAbsent(adopter ?? '');
    expect(await byPolicy(adopter ?? '')).toMatchObject({ id: adopter });
  });
});

it('a late record of the attempt before still finds its row after a resend', async () => {
  const { id, token } = await absent();
  await byPolicy(id);
  const sid = randomSid();
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: accepted(sid) }]));
  expect(await room.row(id)).toMatchObject({ status: 'queued', message_sid: sid, sid_source: 'record' });
});

async function absent(overrides: Partial<AcceptedMessage> = {}, { absences = 2, ageSeconds = 301 } = {}) {
  const message = await unknownMessage(room, ageSeconds, { onUnknown: 'resend', ...overrides });
  await proveAbsent(message.id, absences);
  return message;
}

/** As looks would have left it that did not resend themselves: another policy, or a guard that held then. */
async function proveAbsent(id: string, absences = 2, attempt = 1): Promise<void> {
  await room.db.sql`
    INSERT INTO outcome_searches (message_id, attempt, looks, absences, looked_at) VALUES (${id}, ${attempt}, ${absences}, ${absences}, now())`;
}

async function resolvedMeanwhile() {
  const { id } = await absent();
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: randomSid() })]));
  return { id };
}

async function retriedAlready() {
  const { id } = await absent();
  const retry = await room.insert({ id: newMessageId() });
  await room.db.sql`UPDATE whatsapp_messages SET retry_of = ${id}, origin = 'retry' WHERE id = ${retry.id}`;
  return { id };
}

async function audits(id: string) {
  return room.db.sql`SELECT actor, action, reason, details FROM audit_log WHERE message_id = ${id} ORDER BY id`;
}
