import type { PolicyAction } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

/** An operator's word on an error code, above our table's. */
export interface ErrorPolicy {
  code: number;
  action: PolicyAction;
}

/** Every policy, by code. */
export function listErrorPolicies(db: Pick<Database, 'sql'>): Promise<ErrorPolicy[]> {
  return inStatement(db.sql, (sql) => sql<ErrorPolicy[]>`SELECT code, action FROM error_policies ORDER BY code`);
}
