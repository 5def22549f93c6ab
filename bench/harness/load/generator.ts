// The load: a process of its own, which keeps each connection busy with one request at a time, never repeats one, and does as little as
// possible per request (whole requests from a file, bare sockets), because it shares the machine with what it measures.
import { readFileSync } from 'node:fs';
import { openConnection } from './connection.ts';
import type { FromGenerator, LoadOrder, LoadResult, RequestFile, ToGenerator } from './protocol.ts';

let requests: Buffer = Buffer.alloc(0);
let ends: Uint32Array = new Uint32Array();

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToGenerator) => {
  if (message.type === 'run') void runLoad(message.order).then((result) => tell({ type: 'result', result }));
  else {
    open(message.file);
    tell({ type: 'ready' });
  }
});

function open(file: RequestFile): void {
  requests = readFileSync(file.requests);
  const bytes = readFileSync(file.ends);
  ends = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}

async function runLoad({ port, from, to, connections, forMs }: LoadOrder): Promise<LoadResult> {
  const statuses = new Uint16Array(to - from);
  const latencies = new Float64Array(to - from);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  let next = from;
  const connect = () =>
    openConnection(port, {
      take: () => (next < to && performance.now() - startedMs < forMs ? next++ : null),
      read: (index) => requests.subarray(ends[index - 1] ?? 0, ends[index]),
      answered: (index, status, latencyMs) => {
        statuses[index - from] = status;
        latencies[index - from] = latencyMs;
      },
    });
  await Promise.all(Array.from({ length: connections }, connect));
  const endedMs = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const sent = next - from;
  const sorted = latencies.slice(0, sent).toSorted();
  const latencyAt = (share: number) => sorted[Math.floor(share * (sent - 1))] ?? 0;
  return {
    startedAtMs: performance.timeOrigin + startedMs,
    endedAtMs: performance.timeOrigin + endedMs,
    sent,
    statuses: statuses.slice(0, sent),
    latencyMs: { p50: latencyAt(0.5), p99: latencyAt(0.99) },
    busy: (user + system) / 1_000 / (endedMs - startedMs),
  };
}

function tell(message: FromGenerator): void {
  process.send?.(message);
}
