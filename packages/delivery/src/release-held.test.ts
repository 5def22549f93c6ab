import { randomUUID } from 'node:crypto';
import { decideOnRefusal } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, rejected, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseHeld, type ReleaseHeldInput } from './release-held.ts';

const room = deliveryRoom();

describe('a release of held messages', () => {
  it('lets exactly those of its code wait again, due now, with their attempts', async () => {
    const held = [await hold(63024), await hold(63024)];
    const others = [await hold(63013), (await room.insert()).id, await failed(63024)];
    const before = await Promise.all(others.map(room.row));
    expect(await release({ code: 63024 })).toEqual({ matched: 2, released: 2 });
    for (const id of held) {
      expect(await room.row(id)).toMatchObject({ status: 'retrying', rank: 0, attempts: 1, error_code: 63024 });
      expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed', request: { attempt: 2 } });
    }
    expect(await Promise.all(others.map(room.row))).toEqual(before);
  });

  it('lets exactly the named ones wait again', async () => {
    const [named, other] = [await hold(63013), await hold(63013)];
    const waiting = await room.insert();
    expect(await release({ ids: [named, waiting.id, randomUUID()] })).toEqual({ matched: 1, released: 1 });
    expect([await statusOf(named), await statusOf(other), await statusOf(waiting.id)]).toEqual(['retrying', 'held', 'accepted']);
  });

  it('of named ones leaves alone those that are held for another code by now', async () => {
    const [still, other] = [await hold(63013), await hold(63016)];
    expect(await release({ ids: [still, other], code: 63013 })).toEqual({ matched: 1, released: 1 });
    expect(await statusOf(other)).toBe('held');
  });

  it('that is a dry run counts and changes nothing', async () => {
    const id = await hold(63014);
    const before = await room.row(id);
    expect(await release({ code: 63014 }, { dryRun: true })).toEqual({ matched: 1, released: 0 });
    expect(await room.row(id)).toEqual(before);
    expect(await audits(id)).toEqual([]);
  });

  it('is audited for each message with the words of the operator, also when the message was held and released before', async () => {
    const id = await hold(63005);
    await release({ ids: [id] });
    await release({ ids: [id] });
    const entry = (attempts: number) => ({ actor: 'ann', action: 'held_released', reason: 'repaired', details: { code: 63005, attempts } });
    expect(await audits(id)).toEqual([entry(1)]);
    await refuseHeld(id, 63005, 2);
    await release({ ids: [id] });
    expect(await audits(id)).toEqual([entry(1), entry(2)]);
  });

  it('works off more messages than one transaction takes, each once', async () => {
    const total = 1_030;
    await room.db.sql`
      INSERT INTO whatsapp_messages (id, sender, sender_address, recipient, body, priority, status, rank, error_code)
      SELECT gen_random_uuid(), 'support', 'whatsapp:x', 'whatsapp:y', 'held', 'bulk', 'held', 0, 63006 FROM generate_series(1, ${total})`;
    const [first, second] = await Promise.all([release({ code: 63006 }), release({ code: 63006 })]);
    expect(first.released + second.released).toBe(total);
    expect(await release({ code: 63006 })).toEqual({ matched: 0, released: 0 });
  });

  it('does not touch a message whose sid a callback brought meanwhile', async () => {
    const id = await hold(63019);
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'sent' })]));
    expect(await release({ ids: [id] })).toEqual({ matched: 0, released: 0 });
    expect(await statusOf(id)).toBe('sent');
  });
});

/** A message that was refused with a code whose policy is to hold. */
async function hold(code: number): Promise<string> {
  const { id } = await room.insert();
  await refuseHeld(id, code, 1);
  return id;
}

async function refuseHeld(id: string, code: number, attempt: number): Promise<void> {
  const { token } = await room.claim(id);
  valuesOf(await recordOutcome(room.db, [{ id, attempt, token, outcome: rejected(code) }], () => decideOnRefusal(code, 'hold')));
  expect(await statusOf(id)).toBe('held');
}

async function failed(code: number): Promise<string> {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: rejected(code) }], () => decideOnRefusal(code, 'stop')));
  return id;
}

function release(which: ReleaseHeldInput['which'], { dryRun = false } = {}) {
  return releaseHeld(room.db, { which, dryRun, actor: 'ann', reason: 'repaired' });
}

async function statusOf(id: string) {
  return (await room.row(id))?.['status'];
}

function audits(id: string) {
  return room.db.sql`SELECT actor, action, reason, details FROM audit_log WHERE message_id = ${id} ORDER BY id`;
}
