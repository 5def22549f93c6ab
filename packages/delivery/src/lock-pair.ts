import type postgres from 'postgres';

/** One sender and one person. */
export interface Pair {
  senderAddress: string;
  recipient: string;
}

/** Until the transaction ends, nobody else decides which listed message is whose in this pair. */
export async function lockPair(tx: postgres.ISql, { senderAddress, recipient }: Pair): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`unknown ${senderAddress} ${recipient}`}, 0))`;
}
