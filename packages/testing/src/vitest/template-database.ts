import postgres from 'postgres';
import type { TestRun } from '../fixtures/test-run.ts';

/** Makes the database that test files clone theirs from. A failing migration is told to the files that want a database, not to the others. */
export async function createTemplateDatabase(serverUrl: string, runId: string): Promise<TestRun['template']> {
  const name = `tickmark_template_${runId.replaceAll('-', '_')}`;
  const sql = postgres(serverUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`CREATE DATABASE ${sql(name)}`;
  } finally {
    await sql.end();
  }
  try {
    const { migrateDatabase } = await import('@tickmark/delivery');
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    await migrateDatabase({ url: url.href });
    return { name };
  } catch (error) {
    return { problem: `the test database could not be migrated: ${error instanceof Error ? error.message : String(error)}` };
  }
}

export async function dropTemplateDatabase(run: TestRun): Promise<void> {
  if (run.serverIsTemporary || !('name' in run.template)) return;
  const sql = postgres(run.databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`DROP DATABASE IF EXISTS ${sql(run.template.name)} WITH (FORCE)`;
  } finally {
    await sql.end();
  }
}
