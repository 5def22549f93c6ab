import { expect, it } from 'vitest';
import { deleteErrorPolicy, listErrorPolicies, setErrorPolicy } from './error-policies.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';

const room = deliveryRoom();

it('a policy is set, replaced and taken back, each time with who and why', async () => {
  const by = { code: 63016, actor: 'boss', reason: 'a template is on its way' };
  expect(await setErrorPolicy(room.db, { ...by, action: 'hold' })).toMatchObject({ code: 63016, action: 'hold', updatedBy: 'boss' });
  await setErrorPolicy(room.db, { ...by, action: 'stop', actor: 'ann', reason: null });
  expect(await listErrorPolicies(room.db)).toEqual([
    { code: 63016, action: 'stop', reason: null, updatedBy: 'ann', updatedAt: expect.any(Date) },
  ]);
  expect(await deleteErrorPolicy(room.db, by)).toBe(true);
  expect(await deleteErrorPolicy(room.db, by)).toBe(false);
  expect(await listErrorPolicies(room.db)).toEqual([]);
  expect(await room.db.sql`SELECT actor, action, reason, details FROM audit_log ORDER BY id`).toEqual([
    { actor: 'boss', action: 'policy_set', reason: by.reason, details: { code: 63016, policy: 'hold', before: null } },
    { actor: 'ann', action: 'policy_set', reason: null, details: { code: 63016, policy: 'stop', before: 'hold' } },
    { actor: 'boss', action: 'policy_deleted', reason: by.reason, details: { code: 63016, before: 'stop' } },
  ]);
});
