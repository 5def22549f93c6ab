import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomPhone, testFolder } from '@tickmark/testing';
import { afterAll, expect, it } from 'vitest';
import { hashRows, type ArchiveRecord } from '../archive/archive-record.ts';
import { createArchive } from '../archive/archive.ts';
import { deliveryRoom } from '../fixtures/delivery-room.ts';
import { eraseFromArchives } from './erase-archives.ts';
import { findArchivesElsewhere, noteArchive } from './known-archive.ts';
import { readPerson } from './person.ts';

const room = deliveryRoom();
const folders = [testFolder('archive-a'), testFolder('archive-b')] as const;
// Archives hold what the search for leaks finds.
afterAll(() => folders.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

async function* recordsOf(...phones: string[]): AsyncGenerator<ArchiveRecord> {
  for (const [index, phone] of phones.entries()) {
    const rows = JSON.stringify({ whatsapp_messages: [{ recipient: `whatsapp:${phone}` }] });
    yield { kind: 'message', key: String(index), sha256: hashRows(rows), rows };
  }
}

it('also what a killed cleanup or erasure left behind goes', async () => {
  const [dir] = folders;
  const archive = createArchive({ dir });
  const phone = randomPhone();
  const person = readPerson(phone);
  if (person === null) throw new Error('no address');
  const before = await archive.write(recordsOf(phone, randomPhone()));
  const old = join(dir, before?.file ?? '');
  copyFileSync(old, `${old}.copy`);
  expect(await eraseFromArchives(archive, person)).toEqual({ files: 1, found: 1 });
  // As if it had been killed before the old file went.
  copyFileSync(`${old}.copy`, old);
  rmSync(`${old}.copy`);
  expect(await eraseFromArchives(archive, person)).toEqual({ files: 1, found: 0 });
  const [manifest] = await archive.list();
  expect(readdirSync(dir).filter((name) => name.endsWith('.gz'))).toEqual([manifest?.file]);
  expect(manifest?.file).not.toBe(before?.file);
});

it('every archive to which rows went is remembered, until its files are said to be in another one', async () => {
  const [first, second] = folders.map((dir) => createArchive({ dir })) as [
    ReturnType<typeof createArchive>,
    ReturnType<typeof createArchive>,
  ];
  for (const archive of [first, second, first]) await noteArchive(room.db, archive);
  const [[a = ''], [b]] = [await first.readIdentities(), await second.readIdentities()];
  expect(await findArchivesElsewhere(room.db, second)).toEqual([a]);
  expect(await findArchivesElsewhere(room.db, null)).toEqual([a, b]);
  const path = join(folders[1], 'archive-id');
  writeFileSync(path, `${readFileSync(path, 'utf8')}${a}\n`);
  expect(await findArchivesElsewhere(room.db, second)).toEqual([]);
});
