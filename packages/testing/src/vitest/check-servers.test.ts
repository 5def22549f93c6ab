import { expect, test } from 'vitest';
import { currentTestRun } from '../fixtures/test-run.ts';
import { checkServers } from './check-servers.ts';

test('servers that are there and new enough pass', async () => {
  await expect(checkServers(currentTestRun())).resolves.toBeUndefined();
});

test.each([
  ['PostgreSQL', { databaseUrl: 'postgres://nobody@127.0.0.1:1/none' }, 'PostgreSQL does not answer; correct DATABASE_URL'],
  ['Redis', { redisUrl: 'redis://127.0.0.1:1' }, 'Redis does not answer; correct REDIS_URL'],
])('a %s that does not answer is refused with what to do', async (_, address, message) => {
  await expect(checkServers({ ...currentTestRun(), ...address })).rejects.toThrow(message);
});
