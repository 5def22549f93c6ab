import { DrizzleQueryError } from 'drizzle-orm/errors';
import { expect, it } from 'vitest';
import { classifyDatabaseError, isRaceError } from './database-errors.ts';
import { createDatabase } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { freePort } from '@tickmark/testing';

const room = deliveryRoom();

it.each([
  ['a connection that fails', '08006', 'infrastructure'],
  ['a server that became a replica', '25006', 'infrastructure'],
  ['credentials that are being rotated', '28P01', 'infrastructure'],
  ['a deadlock', '40P01', 'infrastructure'],
  ['a serialization failure', '40001', 'infrastructure'],
  ['too many connections', '53300', 'infrastructure'],
  ['a full disk', '53100', 'infrastructure'],
  ['a shutdown', '57P01', 'infrastructure'],
  ['a statement time-out', '57014', 'infrastructure'],
  ['a lock time-out', '55P03', 'infrastructure'],
  ['an input or output error', '58030', 'infrastructure'],
  ['a row hit twice', '21000', 'data'],
  ['a NUL in a text', '22021', 'data'],
  ['a number that is too large', '22003', 'data'],
  ['a broken constraint', '23514', 'data'],
  ['a value that is too long for an index', '54000', 'data'],
  ['a missing table', '42P01', 'other'],
  ['a syntax error', '42601', 'other'],
  ['a closed connection', 'CONNECTION_CLOSED', 'infrastructure'],
  ['a client that is closing', 'CONNECTION_ENDED', 'infrastructure'],
  ['a destroyed connection', 'CONNECTION_DESTROYED', 'infrastructure'],
  ['a connect time-out', 'CONNECT_TIMEOUT', 'infrastructure'],
  ['a refused connection', 'ECONNREFUSED', 'infrastructure'],
  ['a reset', 'ECONNRESET', 'infrastructure'],
  ['a connection that the server ended', 'EPIPE', 'infrastructure'],
  ['a name that does not resolve', 'ENOTFOUND', 'infrastructure'],
  ['a mistake of the program', 'UNDEFINED_VALUE', 'other'],
])('%s (%s) is %s', (_name, code, expected) => {
  expect(classifyDatabaseError(Object.assign(new Error('words decide nothing'), { code }))).toBe(expected);
});

it('an error without a code is other', () => {
  expect(classifyDatabaseError(new Error('connection refused'))).toBe('other');
  expect(classifyDatabaseError('ECONNREFUSED')).toBe('other');
  expect(classifyDatabaseError(undefined)).toBe('other');
});

it('an error that wraps another counts as the inner one', () => {
  const cause = Object.assign(new Error('inner'), { code: '57014' });
  expect(classifyDatabaseError(new DrizzleQueryError('SELECT 1', [], cause))).toBe('infrastructure');
  const both = new AggregateError([Object.assign(new Error('::1'), { code: 'ECONNREFUSED' }), new Error('127.0.0.1')]);
  expect(classifyDatabaseError(both)).toBe('infrastructure');
});

it('what real servers and connections throw is classified', async () => {
  await expect(thrownBy(() => room.db.sql`SELECT 1/0`)).resolves.toBe('data');
  await expect(thrownBy(() => room.db.sql`SELECT * FROM nowhere`)).resolves.toBe('other');
  await expect(thrownBy(() => room.db.sql`SELECT pg_terminate_backend(pg_backend_pid())`)).resolves.toBe('infrastructure');
  await expect(thrownBy(() => room.db.orm.execute('SELECT 1/0'))).resolves.toBe('data');
  const nobody = createDatabase({ url: `postgres://nobody@127.0.0.1:${await freePort()}/x`, prepare: true, max: 2, applicationName: 'x' });
  try {
    await expect(thrownBy(() => nobody.sql`SELECT 1`)).resolves.toBe('infrastructure');
  } finally {
    await nobody.close();
  }
});

it('deadlocks and lost races for a sid are races, other broken constraints are not', () => {
  const broken = (constraint: string) => Object.assign(new Error(), { code: '23505', constraint_name: constraint });
  expect(isRaceError(Object.assign(new Error(), { code: '40P01' }))).toBe(true);
  expect(isRaceError(broken('whatsapp_messages_sid'))).toBe(true);
  expect(isRaceError(broken('whatsapp_messages_pkey'))).toBe(false);
  expect(isRaceError(Object.assign(new Error(), { code: '57014' }))).toBe(false);
});

async function thrownBy(statement: () => Promise<unknown>) {
  try {
    await statement();
    return 'nothing';
  } catch (error) {
    return classifyDatabaseError(error);
  }
}
