/** What the starter and the services' host say to each other over IPC. */
export interface HostOptions {
  dataDir?: string;
  logFolder?: string;
  postgresBinaries?: string;
  postgres: boolean;
  redis: boolean;
}

export type ToHost = { type: 'start'; options: HostOptions } | { type: 'watch'; pid: number } | { type: 'stop' };

export type FromHost =
  | { type: 'progress'; text: string }
  | { type: 'ready'; databaseUrl: string; redisUrl: string; pids: number[] }
  | { type: 'failed'; message: string };
