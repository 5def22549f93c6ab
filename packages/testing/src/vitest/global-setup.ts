// Runs once per vitest run, in vitest's own process: starts the services, makes the migrated template database, and tells
// every test file where they are. It is an entry point, so it may read the environment.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import type { TestRun } from '../fixtures/test-run.ts';
import { createRunMarks } from '../leaks/needles.ts';
import { cacheFolder } from '../services/repository.ts';
import { startServices } from '../services/start-services.ts';
import { reportLeaks } from './report-leaks.ts';
import { createTemplateDatabase, dropTemplateDatabase } from './template-database.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const id = `${new Date()
    .toISOString()
    .replaceAll(/[^0-9]/g, '')
    .slice(0, 14)}-${randomBytes(3).toString('hex')}`;
  const folder = join(cacheFolder, 'test-logs', id);
  mkdirSync(folder, { recursive: true });
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = process.env;
  const services = await startServices({
    ...(databaseUrl ? { databaseUrl } : {}),
    ...(redisUrl ? { redisUrl } : {}),
    logFolder: folder,
    onProgress: (text) => console.log(text),
  });
  const template = await createTemplateDatabase(services.databaseUrl, id);
  const run: TestRun = {
    id,
    marks: createRunMarks(),
    databaseUrl: services.databaseUrl,
    redisUrl: services.redisUrl,
    template,
    folder,
  };
  project.provide('tickmark', run);
  return async () => {
    try {
      await dropTemplateDatabase(run);
      await reportLeaks(run);
    } finally {
      await services.stop();
    }
  };
}
