import type { DeliveryLog } from './delivery-log.ts';

export function migrateDatabase(_options: { url: string; log?: DeliveryLog }): Promise<{ applied: number }> {
  throw new Error('not written yet');
}
