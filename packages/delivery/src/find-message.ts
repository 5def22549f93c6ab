import { eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { messageAttempts, messageStatusLogs, whatsappMessages } from './schema.ts';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The row that an id of ours or a sid names: its own sid, that of an older attempt, or one that was only ever logged for it. */
export async function findMessage(orm: Database['orm'], idOrSid: string): Promise<typeof whatsappMessages.$inferSelect | null> {
  if (UUID.test(idOrSid)) return selectOne(orm, eq(whatsappMessages.id, idOrSid));
  // No text of Postgres holds a NUL, so neither does a sid.
  if (idOrSid.includes('\0') || !idOrSid.isWellFormed()) return null;
  const own = await selectOne(orm, eq(whatsappMessages.messageSid, idOrSid));
  if (own) return own;
  const [attempt] = await orm
    .select({ id: messageAttempts.messageId })
    .from(messageAttempts)
    .where(eq(messageAttempts.messageSid, idOrSid));
  const [logged] = attempt
    ? [attempt]
    : await orm
        .select({ id: messageStatusLogs.messageId })
        .from(messageStatusLogs)
        .where(eq(messageStatusLogs.messageSid, idOrSid))
        .limit(1);
  return logged ? selectOne(orm, eq(whatsappMessages.id, logged.id)) : null;
}

/** The id of the message that an id of ours or a sid names; null when there is none. */
export async function findMessageId(db: Pick<Database, 'orm'>, idOrSid: string): Promise<string | null> {
  return (await findMessage(db.orm, idOrSid))?.id ?? null;
}

async function selectOne(orm: Database['orm'], condition: ReturnType<typeof eq>) {
  const [row] = await orm.select().from(whatsappMessages).where(condition).limit(1);
  return row ?? null;
}
