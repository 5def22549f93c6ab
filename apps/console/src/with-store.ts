import { classifyDatabaseError, type Database } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import { isDatabaseReady } from './readiness.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Asks the database for an answer.
 *
 * @throws AppError STORE_UNAVAILABLE when it cannot give one at the moment
 */
export async function withStore<R>(db: Database, ask: () => Promise<R>): Promise<R> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (classifyDatabaseError(error) !== 'infrastructure' && (await isDatabaseReady(db))) throw error;
    throw new AppError('STORE_UNAVAILABLE', 'The database cannot answer at the moment. Ask again later; GET /health/ready tells why.', {
      cause: error,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
