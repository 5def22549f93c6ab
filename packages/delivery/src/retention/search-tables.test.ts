import { acceptedMessage, randomPhone } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { deliveryRoom } from '../fixtures/delivery-room.ts';
import { insertAccepted } from '../insert-accepted.ts';
import { insertDeadLetter } from '../insert-dead-letter.ts';
import { readPerson, type Person } from './person.ts';
import { findWaitingQuotes, scrubTables, searchTables } from './search-tables.ts';

const room = deliveryRoom();

function newPerson(): Person & { phone: string } {
  const phone = randomPhone();
  const person = readPerson(phone);
  if (person === null) throw new Error('no address');
  return { ...person, phone };
}

const bodyOf = async (id: string) =>
  (await room.db.sql<{ body: string; hash: unknown }[]>`SELECT body, content_sha256 AS hash FROM whatsapp_messages WHERE id = ${id}`)[0];

it('blots a person out of what was sent to others, and leaves what waits and what is the own', async () => {
  const { phone, ...person } = newPerson();
  const body = `call ${phone}`;
  const [waiting, sent, own] = [
    acceptedMessage({ body }),
    acceptedMessage({ body }),
    acceptedMessage({ recipient: `whatsapp:${phone}`, body }),
  ];
  await insertAccepted(room.db, [waiting, sent, own]);
  await room.db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50 WHERE id = ${sent.id}`;
  for (const [jobId, payload] of [
    ['own', { recipient: `whatsapp:${phone}` }],
    ['other', { recipient: 'x', body }],
  ] as const)
    await insertDeadLetter(room.db, { queue: 'intake', jobId, payload, reason: 'x' });
  expect(await findWaitingQuotes(room.db, person)).toEqual({ count: 1, ids: [waiting.id] });

  expect(await scrubTables(room.db, person, { exceptTask: null })).toEqual({ whatsapp_messages: 1, dead_letters: 2 });
  expect(await bodyOf(sent.id)).toEqual({ body: 'call +0', hash: null });
  expect(await bodyOf(waiting.id)).toEqual({ body, hash: expect.anything() });
  expect(await bodyOf(own.id)).toMatchObject({ body });
  expect([...(await room.db.sql`SELECT job_id, payload ->> 'body' AS body FROM dead_letters`)]).toEqual([
    { job_id: 'other', body: 'call +0' },
  ]);
  // Still found: the next round deletes the own one.
  expect(await searchTables(room.db, person, { exceptTask: null })).toMatchObject({ found: { whatsapp_messages: 2 } });
});

it('finds a number however it is written, and no longer number that it is part of', async () => {
  const { phone, pattern } = newPerson();
  const digits = phone.slice(1);
  const written = [phone, digits, `00${digits}`, `?p=%2B${digits}`, `?q=tel%20${digits}`, `x${digits}x`];
  const other = [`9${digits}`, `${digits}0`, `%2${digits.slice(1)}`];
  for (const text of written) expect(text).toMatch(new RegExp(pattern));
  for (const text of other) expect(text).not.toMatch(new RegExp(pattern));
  const rows = await room.db.sql<{ found: boolean }[]>`SELECT t ~ ${pattern} AS found FROM unnest(${[...written, ...other]}::text[]) AS t`;
  expect(rows.map(({ found }) => found)).toEqual([...written.map(() => true), ...other.map(() => false)]);
});
