import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';

/** Which messages are meant: those that fit every property that is given, each by any of its values. */
export interface MessageFilter {
  /** Recipients in their stored form. */
  to?: readonly string[] | undefined;
  /** Aliases or addresses of senders. */
  from?: readonly string[] | undefined;
  status?: readonly MessageStatus[] | undefined;
  errorCode?: readonly number[] | undefined;
  producer?: readonly string[] | undefined;
  campaign?: readonly string[] | undefined;
  /** `createdAt` of the message: from `since` on, before `until`. */
  since?: Date | undefined;
  until?: Date | undefined;
}

/** Conditions on the columns of `m`, without the recipient; they begin with AND. */
export function fitsFilter(sql: postgres.ISql, { from, status, errorCode, producer, campaign, since, until }: MessageFilter) {
  return sql`
    ${since === undefined ? sql`` : sql`AND m.created_at >= ${since}`}
    ${until === undefined ? sql`` : sql`AND m.created_at < ${until}`}
    ${from === undefined ? sql`` : sql`AND (m.sender = ANY (${[...from]}::text[]) OR m.sender_address = ANY (${[...from]}::text[]))`}
    ${status === undefined ? sql`` : sql`AND m.status = ANY (${[...status]}::text[])`}
    ${errorCode === undefined ? sql`` : sql`AND m.error_code = ANY (${[...errorCode]}::int[])`}
    ${producer === undefined ? sql`` : sql`AND m.producer = ANY (${[...producer]}::text[])`}
    ${campaign === undefined ? sql`` : sql`AND m.campaign = ANY (${[...campaign]}::text[])`}`;
}
