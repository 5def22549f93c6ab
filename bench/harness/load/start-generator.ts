import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromGenerator, LoadOrder, LoadResult, RequestFile, ToGenerator } from './protocol.ts';

export interface LoadGenerator {
  run(order: LoadOrder): Promise<LoadResult>;
  stop(): Promise<void>;
}

/** Starts the generator and gives it its requests. It ends with this process. */
export async function startGenerator(file: RequestFile): Promise<LoadGenerator> {
  const child = fork(fileURLToPath(new URL('generator.ts', import.meta.url)), {
    execArgv: ['--conditions=@tickmark/source', '--import', 'tsx'],
    // So that an array of statuses stays one.
    serialization: 'advanced',
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await ask(child, { type: 'open', file });
  return {
    run: async (order) => {
      const answer = await ask(child, { type: 'run', order });
      if (answer.type !== 'result') throw new Error('the load generator lost its place');
      return answer.result;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

function ask(child: ChildProcess, message: ToGenerator): Promise<FromGenerator> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the load generator ended'));
    child.once('exit', ended);
    child.once('message', (answer: FromGenerator) => {
      child.off('exit', ended);
      resolve(answer);
    });
    child.send(message);
  });
}
