import { inject } from 'vitest';
import { setTestRun } from '../fixtures/test-run.ts';

setTestRun(inject('tickmark'));
