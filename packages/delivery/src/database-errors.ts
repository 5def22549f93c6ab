export type DatabaseErrorClass = 'infrastructure' | 'data' | 'other';

export function classifyDatabaseError(_error: unknown): DatabaseErrorClass {
  throw new Error('not written yet');
}
