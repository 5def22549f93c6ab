// The promise: whatever dies and whatever Twilio answers, no message is created twice and none is lost.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomPhone } from '@tickmark/testing';
import { chooseSeed, fullOrReduced, seededRandom } from './support/counts.ts';
import type { Judgement } from './support/judge-messages.ts';
import { killWorkers, planKills, SEND_FAILPOINTS } from './support/kill-workers.ts';
import { postUntilAccepted } from './support/messages.ts';
import { startPipeline, type Ledger, type Pipeline } from './support/pipeline.ts';
import { judgeWhenQuiet, untilNothingWaits } from './support/settle-messages.ts';

const FULL_COUNT = 2_000;
const MESSAGES = fullOrReduced(FULL_COUNT, 500);
const KILLS = { perFailpoint: 2, atRandom: 4 };
/**
 * What is unknown and absent comes of the kills, a message or two each (claimed, and not called for when its worker died), and of the calls that
 * fail before the creation (3 in 1,000). A reduced count has as many kills, so it may have as many of them as the full count, not as large a share.
 */
const ABSENT_MAX = 0.02 * FULL_COUNT;
const seed = chooseSeed();
const random = seededRandom(seed);

/** 17 of 100 answers. What fails before the creation must stay rare: such a row is `unknown` for good, because nothing proves its absence. */
const FAULTS = [
  { kind: 'throttle', share: 0.04 },
  { kind: 'reset-after-create', share: 0.02 },
  { kind: 'error-after-create', share: 0.03 },
  { kind: 'unavailable-after-create', share: 0.025 },
  { kind: 'unparsable-201', share: 0.02 },
  { kind: 'sidless-201', share: 0.02 },
  { kind: 'stall-after-create', share: 0.02 },
  { kind: 'reset-before-create', share: 0.001 },
  { kind: 'error-before-create', share: 0.001 },
  { kind: 'proxy-429', share: 0.001 },
];

const SETTINGS = {
  seed,
  latencyMs: 60,
  faults: FAULTS,
  // Most callbacks come after the locks of killed workers have run out, so that nothing but the claim keeps a job from sending again;
  // some come before the call is answered.
  statusDelayMs: { sending: 10, sent: 5_000, delivered: 100, read: 100 },
  callbacks: { duplicate: 0.05, reorder: 0.05, beforeAnswer: 0.1 },
};

const ENV = {
  SIMULATOR_SETTINGS: JSON.stringify(SETTINGS),
  WORKER_CONCURRENCY: '8',
  // The shortest that there are: jobs of a killed worker run again within two seconds.
  QUEUE_LOCK_MS: '1000',
  QUEUE_STALLED_MS: '500',
};

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ apps: ['ingress', 'simulator'], mps: { support: 500, shop: 500, news: 500 }, env: ENV });
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

/** Refused, undelivered, contradicted, reversed and doubled ones among many that are read. */
const MAGIC = ['21211', '63024', '00013', '00012', '00011', '00003'];

function recipient(index: number): string {
  const turn = Math.floor(index / 20);
  if (index % 20 !== 7) return randomPhone();
  return `+1500${String(Math.floor(turn / MAGIC.length) % 100).padStart(2, '0')}${MAGIC[turn % MAGIC.length]}`;
}

/** Created, and never answered: the callbacks come first, the call's end tells nothing. */
const unanswered = (index: number) => `+1500${String(index % 100).padStart(2, '0')}50004`;

const accepted: string[] = [];
let posted = 0;

async function post(count: number, to = recipient): Promise<void> {
  const indexes = Array.from({ length: count }, () => posted++);
  const ids = await Promise.all(
    indexes.map((index) => {
      const from = (['support', 'shop', 'news'] as const)[index % 3];
      const request = { to: to(index), from, contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: String(index) } };
      return postUntilAccepted(pipeline, { key: `never-twice-${seed}-${index}`, request });
    }),
  );
  accepted.push(...ids);
}

function describe({ twice, lost, disagreeing, ...counts }: Judgement, { creates }: Ledger, killed: Record<string, number>): string {
  const isFaulty = ({ outcome, httpStatus }: Ledger['creates'][number]) =>
    outcome === 'created-answer-lost' || httpStatus === null || httpStatus === 429 || httpStatus >= 500;
  const absentShare = ((100 * counts.unknownAbsent) / counts.rows).toFixed(1);
  return [
    `${counts.rows} rows, ${counts.created} created, ${counts.refused} refused, ${twice.length} twice, ${lost.length} lost`,
    `${disagreeing.length} disagree, unknown: ${counts.unknownCreated} created and ${counts.unknownAbsent} absent (${absentShare} %), of which ${counts.unknownUncalled} never called for`,
    `${creates.length} calls, ${creates.filter(isFaulty).length} of them with a faulty answer`,
    `killed ${Object.entries(killed)
      .map(([line, count]) => `${line} ${count}`)
      .join(', ')}`,
    `seed ${seed}`,
  ].join('; ');
}

it(
  'no message is created twice and none is lost, whatever dies and whatever Twilio answers',
  async () => {
    const kills = planKills(random, KILLS);
    console.log(`never twice: ${MESSAGES} messages, ${kills.length} kills, seed ${seed}`);
    // One that lives on runs what the dead leave, while the next ones start.
    await pipeline.startWorker();
    const burst = Math.floor(MESSAGES / kills.length / 2);
    const killed = await killWorkers(pipeline, kills, { side: 2, feed: (time) => post(time === 0 ? burst : 3) });
    await pipeline.startWorker();
    await post(4, unanswered);
    while (posted < MESSAGES) await post(Math.min(20, MESSAGES - posted));
    await untilNothingWaits(pipeline, accepted, 600_000);
    const judgement = await judgeWhenQuiet(pipeline, accepted);
    console.log(`never twice: ${describe(judgement, await pipeline.ledger(), killed)}`);
    const { twice, lost, disagreeing, rows, created, refused, unknownCreated, unknownAbsent } = judgement;
    expect({ twice, lost, disagreeing, unknownCreated }).toEqual({ twice: [], lost: [], disagreeing: [], unknownCreated: 0 });
    expect(rows - created - refused - unknownAbsent).toBe(0);
    expect(unknownAbsent).toBeLessThanOrEqual(ABSENT_MAX);
    for (const failpoint of SEND_FAILPOINTS) expect(killed[failpoint]).toBeGreaterThanOrEqual(2);
  },
  // Minutes on two idle cores; patient with busy ones, where the start of a process alone takes half a minute.
  1_500_000,
);
