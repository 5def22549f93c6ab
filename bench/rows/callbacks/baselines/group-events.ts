import type { StatusEvent } from '@tickmark/domain';
import { createGroupCommit } from '@tickmark/runtime';

/** Lends a baseline our group commit: events that come while a write is under way go in the next one together. */
export function groupEvents(
  write: (events: StatusEvent[]) => Promise<unknown>,
  { itemsMax = 500 }: { itemsMax?: number } = {},
): (event: StatusEvent) => Promise<void> {
  const group = createGroupCommit<StatusEvent, void>({
    site: 'baseline',
    itemsMax,
    collectTurn: true,
    flush: async (events) => {
      await write(events);
      return events.map(() => ({ ok: true, value: undefined }));
    },
    metrics: { groupCommitBatchSize: { labels: () => ({ observe: () => {} }) } },
  });
  return (event) => group.commit(event);
}
