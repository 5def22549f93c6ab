import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLAIMABLE_STATUSES, MESSAGE_STATUSES, type MessageStatus } from '@tickmark/domain';
import { randomSid } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { MIGRATIONS_FOLDER } from './migrations-folder.ts';

const room = deliveryRoom();
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const DRIZZLE_KIT = fileURLToPath(new URL('../../../node_modules/drizzle-kit/bin.cjs', import.meta.url));

describe('the migrations', () => {
  it('say what the schema says: generating finds nothing to change', async () => {
    const before = readdirSync(MIGRATIONS_FOLDER).toSorted();
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@tickmark/source', DRIZZLE_KIT, 'generate'], {
      cwd: PACKAGE,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    });
    expect(stdout).toContain('No schema changes');
    expect(readdirSync(MIGRATIONS_FOLDER).toSorted()).toEqual(before);
  });

  it('keep room on the pages of the message table', async () => {
    const [row] = await room.db.sql`SELECT reloptions FROM pg_class WHERE oid = 'whatsapp_messages'::regclass`;
    expect(row?.['reloptions']).toContain('fillfactor=70');
  });
});

describe('the message table', () => {
  const statuses = Object.keys(MESSAGE_STATUSES) as MessageStatus[];

  it.each(statuses)('takes %s with its rank only', async (status) => {
    const { rank } = MESSAGE_STATUSES[status];
    const id = (await room.insert()).id;
    const set = (value: number) =>
      room.db.sql`UPDATE whatsapp_messages SET status = ${status}, rank = ${value}, claim_token = gen_random_uuid(), claimed_at = now(),
        attempts = 1 WHERE id = ${id}`;
    await set(rank);
    expect(await room.row(id)).toMatchObject({ open_status: rank === 0 ? status : null });
    await expect(set(rank + 10)).rejects.toMatchObject({ constraint_name: 'rank_agrees_with_status' });
  });

  it('refuses a status that nobody knows', async () => {
    const { id } = await room.insert();
    const written = room.db.sql`UPDATE whatsapp_messages SET status = 'partially_delivered' WHERE id = ${id}`;
    await expect(written).rejects.toMatchObject({ constraint_name: 'rank_agrees_with_status' });
  });

  it.each(CLAIMABLE_STATUSES)('refuses a sid on a row that is %s', async (status) => {
    const { id } = await room.insert();
    const written = room.db.sql`
      UPDATE whatsapp_messages SET status = ${status}, message_sid = ${randomSid()}, sid_source = 'record' WHERE id = ${id}`;
    await expect(written).rejects.toMatchObject({ constraint_name: 'no_sid_while_claimable' });
  });

  it('refuses a row that is sending without a token', async () => {
    const { id } = await room.insert();
    const written = room.db.sql`UPDATE whatsapp_messages SET status = 'sending', attempts = 1, claimed_at = now() WHERE id = ${id}`;
    await expect(written).rejects.toMatchObject({ constraint_name: 'no_sending_without_token' });
  });

  it('refuses a sid without its source, and one sid on two rows', async () => {
    const [{ sid }, other] = [await room.sendAccepted(), await room.insert()];
    const nameless = room.db.sql`UPDATE whatsapp_messages SET status = 'queued', rank = 20, message_sid = 'x' WHERE id = ${other.id}`;
    await expect(nameless).rejects.toMatchObject({ constraint_name: 'sid_source_known' });
    const second = room.db.sql`
      UPDATE whatsapp_messages SET status = 'queued', rank = 20, message_sid = ${sid}, sid_source = 'record' WHERE id = ${other.id}`;
    await expect(second).rejects.toMatchObject({ constraint_name: 'whatsapp_messages_sid' });
  });

  it('mentions in no index what statuses change, so that they stay heap-only updates', async () => {
    const rows = await room.db.sql<{ definition: string }[]>`
      SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index WHERE indrelid = 'whatsapp_messages'::regclass`;
    const moving = /\b(status|rank|error_code|contradicted|updated_at|(queued|sent|delivered|read|failed)_at)\b/;
    expect(rows.map((row) => row.definition).filter((definition) => moving.test(definition))).toEqual([]);
  });
});

it('the log takes each (sid, status, code) once, also without a code', async () => {
  const insert = () => room.db.sql`
    INSERT INTO message_status_logs (message_sid, status, message_id, source, received_at)
    VALUES ('SM1', 'sent', gen_random_uuid(), 'callback', now())`;
  await insert();
  await expect(insert()).rejects.toMatchObject({ constraint_name: 'message_status_logs_once' });
});
