import { randomUUID } from 'node:crypto';
import { externalMessageId, type ListedMessage } from '@tickmark/domain';
import { randomBody, randomPhone, randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { adoptListed } from './adopt-listed.ts';
import { applyStatuses } from './apply-statuses.ts';
import { accepted, deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { listedFor, unknownMessage } from './fixtures/unknown-rows.ts';
import { recordOutcome } from './record-outcome.ts';

const room = deliveryRoom();

const newPair = () => ({ senderAddress: `whatsapp:${randomPhone()}`, recipient: `whatsapp:${randomPhone()}` });
const search = (pair: { senderAddress: string; recipient: string }, messages: ListedMessage[]) =>
  adoptListed(room.db, { ...pair, messages });

describe('a message that the list shows', () => {
  it('is adopted: the row has its sid, as the weakest claim, and the audit log says so', async () => {
    const message = await unknownMessage(room, 61);
    const listed = listedFor(message, 61);
    expect(await search(message, [listed])).toEqual({
      verdicts: [{ id: message.id, attempt: 1, kind: 'adopted', message: listed }],
      known: [],
    });
    expect(await room.row(message.id)).toMatchObject({
      status: 'queued',
      rank: 20,
      message_sid: listed.messageSid,
      sid_source: 'adopted',
      attempts: 1,
      outcome: 'unknown',
    });
    expect(Date.parse(String((await room.row(message.id))?.['queued_at']))).toBe(listed.createdAt.getTime());
    expect(await audits(message.id)).toEqual([
      { actor: 'system', action: 'sid_adopted', details: { messageSid: listed.messageSid, attempt: 1 } },
    ]);
    expect(await search(message, [listed])).toEqual({ verdicts: [], known: [] });
  });

  it('and that callbacks without our id had made an external row of is adopted with all that they told', async () => {
    const message = await unknownMessage(room, 61);
    const listed = listedFor(message, 61);
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid: listed.messageSid, rawStatus: 'read' })]));
    await search(message, [listed]);
    expect(await room.row(message.id)).toMatchObject({ status: 'read', sid_source: 'adopted', message_sid: listed.messageSid });
    expect(await room.row(externalMessageId(listed.messageSid))).toBeNull();
    expect(await room.logs([listed.messageSid])).toEqual([expect.objectContaining({ message_id: message.id })]);
  });

  it.each([
    ['an inbound one', { direction: 'inbound' }],
    ['an answer of a TwiML document', { direction: 'outbound-reply' }],
  ])('%s is not ours', async (_name, fields) => {
    const message = await unknownMessage(room, 61);
    expect((await search(message, [listedFor(message, 61, fields)])).verdicts).toMatchObject([{ kind: 'absent' }]);
  });

  it('is nobody else’s: a sid that a row or an older attempt has is never adopted, and shows that the list works', async () => {
    const pair = newPair();
    const body = randomBody();
    const message = await unknownMessage(room, 61, { ...pair, body });
    const { sid } = await room.sendAccepted({ ...pair, body });
    const older = randomSid();
    await room.db.sql`INSERT INTO message_attempts (message_id, attempt, message_sid) VALUES (${randomUUID()}, 1, ${older})`;
    for (const messageSid of [sid, older]) {
      const listed = listedFor(message, 61, { messageSid });
      expect(await search(pair, [listed])).toEqual({ verdicts: [{ id: message.id, attempt: 1, kind: 'absent' }], known: [listed] });
    }
  });

  it('another sender’s or another person’s unknown message has no part in it', async () => {
    const [pair, body] = [newPair(), randomBody()];
    const message = await unknownMessage(room, 61, { ...pair, body });
    const others = [
      await unknownMessage(room, 61, { ...pair, body, recipient: newPair().recipient }),
      await unknownMessage(room, 61, { ...pair, body, senderAddress: newPair().senderAddress }),
    ];
    expect((await search(pair, [listedFor(message, 61)])).verdicts).toMatchObject([{ id: message.id, kind: 'adopted' }]);
    for (const { id } of others) expect(await room.row(id)).toMatchObject({ status: 'unknown' });
  });
});

describe('by count', () => {
  it('more listed than unknown: none is adopted', async () => {
    const message = await unknownMessage(room, 61);
    const listed = [listedFor(message, 60), listedFor(message, 61)];
    expect((await search(message, listed)).verdicts).toEqual([{ id: message.id, attempt: 1, kind: 'ambiguous', candidates: listed }]);
    expect(await room.row(message.id)).toMatchObject({ status: 'unknown', message_sid: null });
  });

  it('two equal texts to one person, one listed: one of the two is adopted and the other is absent', async () => {
    const [pair, body] = [newPair(), randomBody()];
    const [first, second] = [await unknownMessage(room, 63, { ...pair, body }), await unknownMessage(room, 61, { ...pair, body })];
    const { verdicts } = await search(pair, [listedFor(first, 62)]);
    expect(verdicts.map(({ id, kind }) => [id, kind]).toSorted()).toEqual(
      [
        [first.id, 'adopted'],
        [second.id, 'absent'],
      ].toSorted(),
    );
  });

  it('many looks at once at equal texts give each message to one row', async () => {
    const [pair, body] = [newPair(), randomBody()];
    const rows = await Promise.all(Array.from({ length: 4 }, () => unknownMessage(room, 61, { ...pair, body })));
    const listed = rows.map((row) => listedFor(row, 61));
    await Promise.all(Array.from({ length: 5 }, () => search(pair, listed)));
    const sids = await Promise.all(rows.map(async ({ id }) => (await room.row(id))?.['message_sid']));
    expect(sids.toSorted()).toEqual(listed.map(({ messageSid }) => messageSid).toSorted());
  });
});

describe('while a call of the same pair is under way', () => {
  it('nothing is adopted: the listed message may be that call’s, whose record is still to come', async () => {
    const [pair, body] = [newPair(), randomBody()];
    const message = await unknownMessage(room, 61, { ...pair, body });
    const calling = await room.insert({ ...pair, body });
    const { token } = await room.claim(calling.id);
    const listed = listedFor(message, 1, { createdAt: new Date(Date.now() - 5_000) });
    expect((await search(pair, [listed])).verdicts).toEqual([{ id: message.id, attempt: 1, kind: 'waiting', candidates: [listed] }]);
    expect(await room.row(message.id)).toMatchObject({ status: 'unknown' });
    valuesOf(await recordOutcome(room.db, [{ id: calling.id, attempt: 1, token, outcome: accepted(listed.messageSid) }]));
    expect((await search(pair, [listed])).verdicts).toMatchObject([{ id: message.id, kind: 'absent' }]);
  });
});

async function audits(id: string) {
  return room.db.sql`SELECT actor, action, details FROM audit_log WHERE message_id = ${id} ORDER BY id`;
}
