// Runs in every test file before it is loaded. Its afterAll was registered first, so it runs last: after the file's own.
import { afterAll, inject } from 'vitest';
import { setTestRun } from '../fixtures/test-run.ts';
import { setLeakGate } from './leak-gate.ts';
import { recordConsole } from './record-console.ts';
import { refuseNetwork } from './refuse-network.ts';

const run = inject('tickmark');
setTestRun(run);
refuseNetwork();
recordConsole();
const names = { PostgreSQL: run.databaseUrl, Redis: run.redisUrl };
const gate = setLeakGate(new Map(Object.entries(names).map(([name, url]) => [new URL(url).port, name])));
afterAll(() => gate.check());
