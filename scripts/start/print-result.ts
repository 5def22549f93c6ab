import type { StoredRow, Verdict } from './judge-run.ts';
import type { Stack } from './stack.ts';

const SURPRISES_SHOWN_MAX = 20;

/** A table by status and error code, and every row that is not as its campaign file expects. */
export function printResult(verdict: Verdict, stored: ReadonlyMap<string, StoredRow>, seconds: number): void {
  const counts = new Map<string, number>();
  for (const { status, errorCode } of stored.values()) {
    const line = `${status.padEnd(12)} ${String(errorCode ?? '').padEnd(10)}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  console.log(`\nstatus       error code   messages`);
  for (const [line, count] of [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))) console.log(`${line} ${String(count).padStart(10)}`);
  console.log(`\n${verdict.total} messages from the first request to their final status in ${seconds.toFixed(1)} s`);
  console.log(`(${(verdict.total / seconds).toFixed(0)} messages/s; the simulated senders and phones set the pace here)\n`);
  for (const surprise of verdict.surprises.slice(0, SURPRISES_SHOWN_MAX)) console.log(surprise);
  if (verdict.surprises.length > SURPRISES_SHOWN_MAX) console.log(`… and ${verdict.surprises.length - SURPRISES_SHOWN_MAX} more`);
}

/** Where to look and what to try while everything runs. */
export function printAddresses({ ingressUrl, consoleUrl, simulatorUrl, metricsUrls, databaseUrl, apiKey, logFolder }: Stack): void {
  console.log(`send    ${ingressUrl}/v1/messages
look    ${consoleUrl}/docs
twilio  ${simulatorUrl}/_sim/ledger (simulated)
metrics ${metricsUrls.ingress}  ${metricsUrls.worker}
logs    ${logFolder}

Try:
  curl -s ${ingressUrl}/v1/messages -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' \\
    -H 'idempotency-key: greeting-1' -d '{"to":"+14155550100","from":"support","contentSid":"HX00000000000000000000000000000001","contentVariables":{"1":"you"}}'
  TICKMARK_CONSOLE_URL=${consoleUrl} TICKMARK_API_KEY=${apiKey} npx --no-install tickmark status <id>
  DATABASE_URL=${databaseUrl} npx --no-install tickmark pause --list   # also resume, resolve, suppressions, dead-letters

Ctrl-C stops everything.
`);
}
