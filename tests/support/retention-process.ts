// A process that cleans up once, to be killed at a failpoint: DATABASE_URL, ARCHIVE_DIR and FAILPOINTS of its environment say where.
import { cleanupOldMessages, createArchive, createDatabase } from '@tickmark/delivery';
import { createFailpoints, createLogger, loadConfig } from '@tickmark/runtime';

const config = loadConfig(['DATABASE_URL', 'ARCHIVE_DIR', 'FAILPOINTS']);
const log = createLogger({ process: 'worker', level: 'info' });
const failpoints = createFailpoints(config.FAILPOINTS, log);
const db = createDatabase({ url: config.DATABASE_URL.reveal(), prepare: true, max: 3, applicationName: 'retention-test' });
const archive = createArchive({ dir: config.ARCHIVE_DIR ?? '', failpoints });
const result = await cleanupOldMessages(
  { db, archive, log, failpoints },
  { bodyDays: 3_000, rowDays: 365, pauseRatio: 0, fileRecords: 5_000 },
);
await db.close();
process.stdout.write(`${JSON.stringify(result)}\n`);
