import type postgres from 'postgres';
import type { Pair } from './lock-pair.ts';

/** A call that is under way now may have made a listed message before its record is written. One that begins later cannot. */
export async function hasSending(tx: postgres.ISql, { senderAddress, recipient }: Pair): Promise<boolean> {
  const rows = await tx`
    SELECT FROM whatsapp_messages
    WHERE recipient = ${recipient} AND sender_address = ${senderAddress} AND open_status IN ('sending')
    LIMIT 1`;
  return rows.length > 0;
}
