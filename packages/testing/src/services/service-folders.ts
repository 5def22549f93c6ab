import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HostOptions } from './host-protocol.ts';
import { reachableTempFolder } from './service-user.ts';

interface ServerFolder {
  folder: string;
  logFile: string;
  temporary: boolean;
}

export interface ServiceFolders {
  postgres(): ServerFolder;
  redis(): ServerFolder;
  /** Removes what is temporary, gives persistent data free for the next start. */
  close(): void;
}

/** Where the servers of this host keep their data and logs. */
export function openServiceFolders(options: HostOptions): ServiceFolders {
  const temp = mkdtempSync(join(reachableTempFolder(), 'tickmark-services-'));
  chmodSync(temp, 0o755);
  const logFolder = options.logFolder ?? temp;
  mkdirSync(logFolder, { recursive: true });
  const place = (name: string): ServerFolder => ({ folder: join(temp, name), logFile: join(logFolder, `${name}.log`), temporary: true });
  return {
    postgres: () => place('postgres'),
    redis: () => place('redis'),
    close: () => rmSync(temp, { recursive: true, force: true }),
  };
}
