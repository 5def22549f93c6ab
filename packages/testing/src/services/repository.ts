import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryFolder = fileURLToPath(new URL('../../../../', import.meta.url));

/** Downloads and logs of this clone; not committed, may be deleted at any time when nothing runs. */
export const cacheFolder = join(repositoryFolder, '.cache');
