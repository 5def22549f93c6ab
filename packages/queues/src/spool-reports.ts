import { pipelineValues } from './pipeline-values.ts';
import type { ProducerConnection } from './producer-connection.ts';
import type { Producers } from './producers.ts';

/** What an ingress says of the events on its disk. */
export interface SpoolReport {
  /** The process, by the name of its folder. */
  instance: string;
  waiting: number;
  /** Processes that are gone, of whose folders this one has taken what waited. */
  takenOver: readonly string[];
}

/** Reports come every 5 s: an ingress that is silent this long may be cut off from Redis, and write to its disk. */
const SILENT_SECONDS = 20;

/** After that the disk of a process that is gone is taken for lost: nobody has taken it over. */
const LOST_SECONDS = 86_400;

/** Which ingresses may hold events that Redis does not know of: a hash of the last report of each. */
export function createSpoolReports(
  connection: ProducerConnection,
  base: string,
): Pick<Producers, 'reportSpool' | 'forgetSpool' | 'mayBeSpooled'> {
  const { redis } = connection;
  const key = `${base}:spools`;
  return {
    async reportSpool({ instance, waiting, takenOver }) {
      await connection.run(async () => {
        // By the clock of Redis: those of the machines need not agree.
        const [seconds] = await redis.time();
        const pipeline = redis.multi().hset(key, instance, `${waiting}@${seconds}`);
        if (takenOver.length > 0) pipeline.hdel(key, ...takenOver);
        pipelineValues(await pipeline.exec());
      });
    },
    async forgetSpool(instance) {
      await connection.run(() => redis.hdel(key, instance));
    },
    async mayBeSpooled() {
      const answers = await connection.run(async () => pipelineValues(await redis.multi().time().hvals(key).exec()));
      const [[seconds], reports] = answers as [[number | string], string[]];
      return reports.some((report) => {
        const [waiting, at] = report.split('@').map(Number);
        const ageSeconds = Number(seconds) - (at ?? 0);
        return ageSeconds < LOST_SECONDS && (waiting !== 0 || ageSeconds > SILENT_SECONDS);
      });
    },
  };
}
