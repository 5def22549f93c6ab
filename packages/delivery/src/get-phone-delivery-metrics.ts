import { AppError, normalizeRecipient, type Measures } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';
import { answerOf, resolveRange, type MetricsAnswer, type MetricsRange, type MetricsRangeInput } from './metrics-range.ts';
import { describePerformance, type PerformanceRow, type PhonePerformance, type PhoneRole } from './phone-performance.ts';
import { readRollups } from './read-rollups.ts';
import { formsOfAddress } from './recipient-forms.ts';
import { measuresOf } from './measures-of.ts';

const SERVICE = /^MG[0-9a-fA-F]{32}$/;

export interface PhoneDeliveryMetricsInput extends MetricsRangeInput {
  /** `+E164`, a business-scoped user id `CC.…`, both with or without `whatsapp:`, or a Messaging Service `MG…`. */
  phone: string;
}

/** Figures of a range, and what the phone is like apart from it. */
export interface PhoneMetrics extends MetricsAnswer {
  performance: PhonePerformance;
}

/**
 * What became of the messages from and to one address. As a sender the answer comes from the rollups, as a recipient from the messages
 * themselves; both are exact up to the last commit. `performance` does not depend on the range and is up to a minute old.
 *
 * Units, range and repetition as for getPlatformDeliveryMetrics.
 *
 * @returns zeros and nulls for an address that was never seen
 * @throws AppError VALIDATION_FAILED for what is no address, and for a range as getPlatformDeliveryMetrics
 */
export async function getPhoneDeliveryMetrics(
  { db }: { db: Pick<Database, 'sql'> },
  { phone, ...input }: PhoneDeliveryMetricsInput,
): Promise<Record<PhoneRole, PhoneMetrics>> {
  const [address, range] = [readAddress(phone), resolveRange(input)];
  const [bySender, byRecipient, performance] = await Promise.all([
    readSender(db, range, address),
    readRecipient(db, range, address),
    readPerformance(db, address),
  ]);
  return {
    sender: { ...answerOf(range, bySender), performance: performance('sender') },
    recipient: { ...answerOf(range, byRecipient), performance: performance('recipient') },
  };
}

function readAddress(phone: string): string {
  const address = SERVICE.test(phone) ? phone : (normalizeRecipient(phone) ?? normalizeRecipient(`whatsapp:${phone}`));
  if (address !== null) return address;
  const message = 'write +<E.164>, a user id CC.…, or a Messaging Service MG…, percent-encoded';
  throw new AppError('VALIDATION_FAILED', `Correct phone: ${message}.`, { details: [{ path: 'phone', message }] });
}

/** Rows from before the address had an alias are counted under the address itself. */
async function readSender(db: Pick<Database, 'sql'>, range: MetricsRange, address: string): Promise<Map<number, Measures>> {
  const rows = await inStatement(db.sql, (sql) => sql<{ alias: string }[]>`SELECT alias FROM senders WHERE address = ${address}`);
  return readRollups(db, range, [address, ...rows.map(({ alias }) => alias)]);
}

async function readRecipient(db: Pick<Database, 'sql'>, { since, until }: MetricsRange, address: string): Promise<Map<number, Measures>> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ hour: Date; measures: Measures }[]>`
      SELECT hour, jsonb_object_agg(measure, count) AS measures FROM (
        SELECT delivery_hour(created_at) AS hour, measure, count(*) AS count
        FROM whatsapp_messages, unnest(${measuresOf(sql)}) AS measure
        WHERE recipient = ANY (${formsOfAddress(address)}::text[])
          AND created_at >= ${since} AND created_at < ${until} AND measure IS NOT NULL
        GROUP BY 1, 2
      ) c GROUP BY hour`,
  );
  return new Map(rows.map(({ hour, measures }) => [hour.getTime(), measures]));
}

async function readPerformance(db: Pick<Database, 'sql'>, address: string): Promise<(role: PhoneRole) => PhonePerformance> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<PerformanceRow[]>`
      SELECT role, measures, last_error_code AS "lastErrorCode", last_error_at AS "lastErrorAt", last_delivered_at AS "lastDeliveredAt",
        first_message_at AS "firstMessageAt", last_message_at AS "lastMessageAt", updated_at AS "updatedAt"
      FROM phone_delivery_performance
      WHERE phone = ANY (${formsOfAddress(address)}::text[])`,
  );
  return (role) =>
    describePerformance(
      role,
      rows.filter((row) => row.role === role),
    );
}
