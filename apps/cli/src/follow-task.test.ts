import { expect, it } from 'vitest';
import { followTask, type FollowedTask } from './follow-task.ts';

const queued: FollowedTask = { state: 'queued', progress: {}, result: null, error: null };

function follow(look: () => FollowedTask | null) {
  let err = '';
  const followed = followTask(
    { writeError: (text) => (err += text) },
    { taskId: 't1', look: () => Promise.resolve(look()), untakenMsMax: 10 },
  );
  return { followed, told: () => err };
}

it('waits for no worker that does not come, and says how to look later', async () => {
  await expect(follow(() => queued).followed).rejects.toThrow(/No worker .* task t1: start one.*GET \/v1\/tasks\/t1/);
});

it('waits for a task that was taken up, however long it takes, and tells each step once', async () => {
  const steps: FollowedTask[] = [queued, ...[1, 1, 2].map((done) => ({ ...queued, state: 'running', progress: { done } }))];
  const { followed, told } = follow(() => steps.shift() ?? { ...queued, state: 'done', result: { made: 2 } });
  expect(await followed).toEqual({ made: 2 });
  expect(told()).toBe('task t1: queued\ntask t1: running, done 1\ntask t1: running, done 2\ntask t1: done\n');
});

it('says what a task failed with, and that one is gone', async () => {
  await expect(follow(() => ({ ...queued, state: 'failed', error: 'Set ARCHIVE_DIR.' })).followed).rejects.toThrow('Set ARCHIVE_DIR.');
  await expect(follow(() => null).followed).rejects.toThrow('t1 is gone');
});
