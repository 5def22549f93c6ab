export interface StartServicesOptions {
  /** Data that outlives the process (`.data/` of `npm start`). Without it a temp folder, removed at the end. */
  dataDir?: string;
  /** A server that is there already: none is started. */
  databaseUrl?: string;
  redisUrl?: string;
  /** False: none is started, its address is the empty text. */
  postgres?: boolean;
  redis?: boolean;
  /** A folder with `bin/postgres` and `bin/initdb`, for another major version than the embedded one. */
  postgresBinaries?: string;
  /** Where the servers' logs go; beside the data unless told. */
  logFolder?: string;
  onProgress?: (text: string) => void;
}

export interface Services {
  databaseUrl: string;
  redisUrl: string;
  /** The services outlive these processes when the caller dies, for 30 s at most, so that they can drain. */
  watch(pid: number): void;
  /** Stops what was started and returns when it has ended. Safe to repeat. */
  stop(): Promise<void>;
}

/** Starts a real PostgreSQL and a real Redis under a process of their own, which ends them when the caller ends, however that happens. */
export function startServices(_options: StartServicesOptions = {}): Promise<Services> {
  throw new Error('not built yet');
}
