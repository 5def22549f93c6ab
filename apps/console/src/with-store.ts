import { classifyDatabaseError, isStatementTimeout, type Database } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import { isDatabaseReady } from './readiness.ts';

const RETRY_AFTER_SECONDS = 5;

/** Reads or writes in the database; when it cannot answer, or not within its time-out, the caller gets 503 STORE_UNAVAILABLE with what to do. */
export async function withStore<R>(db: Database, ask: () => Promise<R>): Promise<R> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (isStatementTimeout(error)) {
      const message =
        'The database took too long for this. Ask for less: a shorter time (since, until), one recipient (to), a smaller limit.';
      throw new AppError('STORE_UNAVAILABLE', message, { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    if (classifyDatabaseError(error) !== 'infrastructure' && (await isDatabaseReady(db))) throw error;
    throw new AppError('STORE_UNAVAILABLE', 'The database cannot answer at the moment. Ask again later; GET /health/ready tells why.', {
      cause: error,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
