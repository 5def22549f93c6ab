import { figuresOf, type Measures, type Rate } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

/**
 * Per alias the share of messages with a final status, of those that Twilio took in the 24 whole hours that ended an hour ago or more. Read from
 * the rollups, so that it may be asked often; up to ten seconds old. Senders without such messages are left out.
 */
export async function readSenderCompleteness(db: Pick<Database, 'sql'>): Promise<{ sender: string; share: Rate }[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ sender: string; measures: Measures }[]>`
      SELECT sender, jsonb_build_object('submitted', sum((measures ->> 'submitted')::int), 'complete', sum((measures ->> 'complete')::int)) AS measures
      FROM message_delivery_metrics JOIN senders ON alias = sender
      WHERE hour >= delivery_hour(now()) - interval '25 hours' AND hour < delivery_hour(now()) - interval '1 hour'
      GROUP BY sender`,
  );
  return rows.flatMap(({ sender, measures }) => {
    const share = figuresOf(measures).rates.completeness;
    return share.value === null ? [] : [{ sender, share }];
  });
}
