import type { PolicyAction } from '@tickmark/domain';
import { inStatement, inTransaction, type Database } from './database.ts';
import { sanitizeText } from './sanitize-text.ts';
import { writeAudit } from './write-audit.ts';

/** An operator's word on an error code, above our table's. */
export interface ErrorPolicy {
  code: number;
  action: PolicyAction;
  reason: string | null;
  updatedBy: string | null;
  updatedAt: Date;
}

interface PolicyChange {
  code: number;
  actor: string;
  reason: string | null;
}

type Db = Pick<Database, 'sql'>;

/** Every policy, by code. */
export function listErrorPolicies(db: Db): Promise<ErrorPolicy[]> {
  return inStatement(
    db.sql,
    (sql) => sql<ErrorPolicy[]>`
      SELECT code, action, reason, updated_by AS "updatedBy", updated_at AS "updatedAt" FROM error_policies ORDER BY code`,
  );
}

/** Says what becomes of messages that end with a code from now on; workers know within 10 s. What is held or failed already stays. Audited. */
export function setErrorPolicy(db: Db, { code, action, actor, reason }: PolicyChange & { action: PolicyAction }): Promise<ErrorPolicy> {
  return inTransaction(db.sql, async (tx) => {
    const [before] = await tx<{ action: string }[]>`SELECT action FROM error_policies WHERE code = ${code} FOR UPDATE`;
    const [policy] = await tx<ErrorPolicy[]>`
      INSERT INTO error_policies (code, action, reason, updated_by) VALUES (${code}, ${action}, ${sanitizeText(reason)}, ${actor})
      ON CONFLICT (code) DO UPDATE SET action = excluded.action, reason = excluded.reason, updated_by = excluded.updated_by, updated_at = now()
      RETURNING code, action, reason, updated_by AS "updatedBy", updated_at AS "updatedAt"`;
    if (policy === undefined) throw new Error('an upsert gave no row');
    const details = { code, policy: action, before: before?.action ?? null };
    await writeAudit(tx, [{ actor, action: 'policy_set', messageId: null, reason, details }]);
    return policy;
  });
}

/** Returns a code to our table's decision. Audited. @returns false when it had no policy */
export function deleteErrorPolicy(db: Db, { code, actor, reason }: PolicyChange): Promise<boolean> {
  return inTransaction(db.sql, async (tx) => {
    const [before] = await tx<{ action: string }[]>`DELETE FROM error_policies WHERE code = ${code} RETURNING action`;
    if (before === undefined) return false;
    await writeAudit(tx, [{ actor, action: 'policy_deleted', messageId: null, reason, details: { code, before: before.action } }]);
    return true;
  });
}

/** How many messages are held, by the code that they are held for. */
export function countHeld(db: Db): Promise<{ code: number | null; count: number }[]> {
  return inStatement(
    db.sql,
    (sql) => sql<{ code: number | null; count: number }[]>`
      SELECT error_code AS code, count(*)::int AS count FROM whatsapp_messages
      -- The words of the partial index.
      WHERE open_status IN ('held') GROUP BY error_code ORDER BY error_code`,
  );
}
