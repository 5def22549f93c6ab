import type { Effort } from './options.ts';
import type { GroupReport } from './report.ts';
import type { BenchServices } from './services.ts';

export interface GroupContext {
  effort: Effort;
  services: BenchServices;
  /** For files; removed at the end. */
  folder: string;
  say: (text: string) => void;
  /** Undone in reverse order at the end, whatever the end was. */
  cleanups: (() => Promise<unknown>)[];
}

/** Rows that belong together, chosen by `--rows`. */
export type RunGroup = (context: GroupContext) => Promise<GroupReport>;
