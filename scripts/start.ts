// `npm start`: the whole pipeline on this machine, with the example campaign sent through it. `-- --once` ends after the verdict,
// `-- --data-dir <folder>` keeps the data elsewhere than in .data.
import './load-env.mjs';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { postCampaign, readCampaign, writeInFirst } from './start/campaign.ts';
import { createRowReader, judgeRun } from './start/judge-run.ts';
import { fetchCreates, followUntilFinal } from './start/follow-run.ts';
import { printAddresses, printResult } from './start/print-result.ts';
import { SENDERS, startStack, type Cleanups } from './start/stack.ts';
import { watchAncestors } from './start/watch-ancestors.ts';

const CAMPAIGN = fileURLToPath(new URL('../examples/campaign.csv', import.meta.url));

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    'data-dir': { type: 'string', default: fileURLToPath(new URL('../.data', import.meta.url)) },
  },
});
const say = (text: string) => console.error(`· ${text}`);
const cleanups: Cleanups = [];

const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  watchAncestors(() => resolve('the process that started this one is gone'));
});

let exitCode = 1;
try {
  const outcome = await Promise.race([runCampaign(), stopped.then((reason) => ({ stoppedBy: reason }))]);
  if ('stoppedBy' in outcome) say(`stopped (${outcome.stoppedBy})`);
  else {
    console.log(outcome.lastLine);
    exitCode = outcome.allAsExpected ? 0 : 1;
    if (!values.once) {
      printAddresses(outcome.stack);
      const reason = await Promise.race([stopped, outcome.stack.broken]);
      say(`stopping (${reason}) …`);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  for (const cleanup of cleanups.toReversed()) {
    await cleanup().catch((error: unknown) => console.error('stopping failed:', error instanceof Error ? error.message : error));
  }
}
process.exit(exitCode);

async function runCampaign() {
  const rows = readCampaign(CAMPAIGN);
  const stack = await startStack(values['data-dir'], cleanups, say);
  const reader = createRowReader(stack.databaseUrl);
  cleanups.push(() => reader.close());
  const broken = stack.broken.then((reason): never => {
    throw new Error(`the run cannot go on: ${reason}`);
  });

  const runId = randomBytes(4).toString('hex');
  const startedMs = performance.now();
  const run = (async () => {
    const senderOf = (from: unknown) => SENDERS[String(from) as keyof typeof SENDERS].address;
    say(`${await writeInFirst(rows, senderOf, stack)} people write to us first, so that free text may answer them`);
    return await followUntilFinal(rows, reader, (onAccepted) => postCampaign(rows, runId, stack, onAccepted));
  })();
  const { ids, stored } = await Promise.race([run, broken]);
  const seconds = (performance.now() - startedMs) / 1000;

  const verdict = judgeRun(rows, ids, stored, await fetchCreates(stack.simulatorUrl));
  printResult(verdict, stored, seconds);
  const { total, asExpected, missing, duplicated } = verdict;
  return {
    stack,
    allAsExpected: asExpected === total && missing === 0 && duplicated === 0,
    lastLine: `${total} messages, ${asExpected} as expected, ${missing} missing, ${duplicated} duplicated`,
  };
}
