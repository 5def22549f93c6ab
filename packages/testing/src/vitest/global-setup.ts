// Runs once per vitest run, in vitest's own process: starts the services, makes the migrated template database, and tells
// every test file where they are. It is an entry point, so it reads the environment.
import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import type { TestRun } from '../fixtures/test-run.ts';
import { createRunMarks } from '../leaks/needles.ts';
import { postgres15Binaries } from '../services/postgres-15.ts';
import { startServices, type Services } from '../services/start-services.ts';
import { checkServers } from './check-servers.ts';
import { reportLeaks } from './report-leaks.ts';
import { makeRunFolder } from './run-folder.ts';
import { createTemplateDatabase, dropTemplateDatabase } from './template-database.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const id = `${new Date()
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 14)}-${randomBytes(3).toString('hex')}`;
  const folder = makeRunFolder(id);
  const services = await start(folder);
  try {
    await checkServers(services);
    const { databaseUrl, redisUrl } = services;
    const template = await createTemplateDatabase(databaseUrl, id);
    const serverIsTemporary = databaseUrl !== process.env['DATABASE_URL'];
    const run: TestRun = { id, marks: createRunMarks(), databaseUrl, serverIsTemporary, redisUrl, template, folder };
    project.provide('tickmark', run);
    return () => tearDown(run, services);
  } catch (error) {
    await services.stop();
    throw error;
  }
}

async function start(logFolder: string): Promise<Services> {
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, TICKMARK_TEST_POSTGRES: major } = process.env;
  if (major && major !== '15') throw new Error(`TICKMARK_TEST_POSTGRES is 15 or not set, not ${major}`);
  if (major && databaseUrl) throw new Error('TICKMARK_TEST_POSTGRES and DATABASE_URL contradict each other; remove one of them');
  const onProgress = (text: string) => console.log(text);
  return startServices({
    ...(databaseUrl ? { databaseUrl } : {}),
    ...(redisUrl ? { redisUrl } : {}),
    ...(major ? { postgresBinaries: await postgres15Binaries({ onProgress }) } : {}),
    logFolder,
    onProgress,
  });
}

async function tearDown(run: TestRun, services: Services): Promise<void> {
  try {
    await dropTemplateDatabase(run);
    await reportLeaks(run);
  } finally {
    await services.stop();
  }
}
