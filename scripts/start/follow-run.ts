import { setTimeout as pause } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import type { CampaignRow } from './campaign.ts';
import { isAsExpected, type createRowReader, type LedgerCreate, type StoredRow } from './judge-run.ts';

const POLL_MS = 250;
/** A row that has not changed for so long is judged as it is. */
const QUIET_MS_MAX = 60_000;

/**
 * Posts the rows and follows them with a progress bar until each has reached what it expects, or nothing has changed for a minute.
 *
 * @param post sends the rows and gives their ids
 */
export async function followUntilFinal(
  rows: readonly CampaignRow[],
  reader: Pick<ReturnType<typeof createRowReader>, 'read'>,
  post: (onAccepted: () => void) => Promise<string[]>,
): Promise<{ ids: string[]; stored: Map<string, StoredRow> }> {
  const bar = new SingleBar({ format: '  {stage} [{bar}] {value}/{total}', stream: process.stderr, hideCursor: true, noTTYOutput: false });
  bar.start(rows.length, 0, { stage: 'accepted' });
  try {
    const ids = await post(() => bar.increment());
    bar.update(0, { stage: 'final   ' });
    let stored = new Map<string, StoredRow>();
    let changedMs = performance.now();
    for (let final = -1; final < rows.length && performance.now() - changedMs < QUIET_MS_MAX; await pause(POLL_MS)) {
      const now = await reader.read(ids);
      if (summary(now) !== summary(stored)) changedMs = performance.now();
      stored = now;
      final = rows.filter((row, index) => isAsExpected(row, stored.get(ids[index] ?? ''))).length;
      bar.update(final);
    }
    return { ids, stored };
  } finally {
    bar.stop();
  }
}

/** What Twilio (the simulator) says it was asked for: the other half of the verdict. */
export async function fetchCreates(simulatorUrl: string): Promise<LedgerCreate[]> {
  const answer = await fetch(`${simulatorUrl}/_sim/ledger`);
  if (!answer.ok) throw new Error(`the simulator's ledger answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { creates: LedgerCreate[] }).creates;
}

function summary(stored: ReadonlyMap<string, StoredRow>): string {
  return [...stored.values()]
    .map((row) => `${row.id}${row.status}${row.retry?.status}`)
    .toSorted()
    .join();
}
