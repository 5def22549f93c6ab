import type { GroupContext } from '../../harness/groups.ts';
import type { Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';
import type { KnownMessage, Question } from './questions.ts';

interface Asked {
  latenciesMs: number[];
  wrong: number;
}

/** Asks each question about each message, one question after the other, in every round; and checks every answer. */
export async function measureReads(
  { effort, say }: Pick<GroupContext, 'effort' | 'say'>,
  measure: string,
  questions: readonly Question[],
  messages: readonly KnownMessage[],
): Promise<Reached[]> {
  const asked = new Map<string, Asked[]>(questions.map(({ name }) => [name, []]));
  for (let round = 1; round <= effort.rounds; round += 1) {
    for (const question of questions) asked.get(question.name)?.push(await askAll(question, messages.slice(0, question.asksMax)));
    say(`questions, round ${round} of ${effort.rounds}`);
  }
  return questions.map(({ name, title }): Reached => {
    const rounds = asked.get(name) ?? [];
    const over = (share: number) => spreadOf(rounds.map(({ latenciesMs }) => percentile(latenciesMs, share)));
    const gate = {
      asked: rounds.reduce((sum, { latenciesMs }) => sum + latenciesMs.length, 0),
      wrong: rounds.reduce((sum, { wrong }) => sum + wrong, 0),
    };
    return { name, title, measure, figures: { p50Ms: over(0.5), p99Ms: over(0.99) }, gate, passed: gate.wrong === 0 };
  });
}

/** One at a time: it is the answer's time that is measured, not how many are given. */
async function askAll({ ask }: Question, messages: readonly KnownMessage[]): Promise<Asked> {
  const latenciesMs: number[] = [];
  let wrong = 0;
  for (const message of messages) {
    const startedMs = performance.now();
    const isRight = await ask(message);
    latenciesMs.push(performance.now() - startedMs);
    if (!(await isRight())) wrong += 1;
  }
  return { latenciesMs, wrong };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
