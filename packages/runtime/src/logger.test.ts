import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { Secret } from './secret.ts';
import { VERSION } from './version.ts';

function capture(level = 'debug') {
  const lines: string[] = [];
  const log = createLogger({ process: 'test', level, destination: { write: (line: string) => lines.push(line) } });
  return { log, text: () => lines.join(''), last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> };
}

const PHONE = '+15557654321';

describe('a line', () => {
  test('says when, how grave, which process and which version', () => {
    const { log, last } = capture();
    log.info({ messageId: 'm-1', durationMs: 3 }, 'message accepted by twilio');
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      process: 'test',
      pid: process.pid,
      version: VERSION,
      messageId: 'm-1',
      durationMs: 3,
      msg: 'message accepted by twilio',
    });
  });

  test('is not written below the level', () => {
    const { log, text } = capture('warn');
    log.info({}, 'quiet');
    expect(text()).toBe('');
  });

  test('carries the fields of a child', () => {
    const { log, last } = capture();
    log.child({ requestId: 'r-1' }).warn({}, 'slow');
    expect(last()).toMatchObject({ requestId: 'r-1', level: 'warn', msg: 'slow' });
  });
});

describe('what never reaches a log', () => {
  test.each([
    'to',
    'from',
    'body',
    'phone',
    'recipient',
    'Authorization',
    'token',
    'password',
    'contentVariables',
    'metadata',
    'headers',
    'config',
  ])('the value of %s, at any depth and in a child', (key) => {
    const { log, text, last } = capture();
    log.info({ [key]: 'private-1', a: { b: [{ [key]: { deep: 'private-2' } }] } }, 'done');
    log.child({ [key]: 'private-3' }).info({}, 'done');
    expect(text()).not.toContain('private');
    expect(last()).toMatchObject({ [key]: '[redacted]' });
  });

  test.each([
    ['a phone in a sentence', `no route to ${PHONE} today`],
    ['a phone in a query string', '/v1/messages?to=%2B15557654321'],
    ['a WhatsApp address', `whatsapp:${PHONE}`],
    ['a business-scoped user id', 'whatsapp:US.15557654321abc'],
    ['the password of a connection string', 'cannot reach postgres://app:15557654321@db:5432/x'],
    ['the password of a connection string without a user', 'redis://:15557654321@cache:6379'],
  ])('%s', (_what, value) => {
    const { log, text, last } = capture();
    log.child({ where: value }).info({ note: value, list: [value] }, value);
    expect(text()).not.toContain('5557654321');
    expect(last()).toMatchObject({ note: expect.stringContaining('[redacted]') });
  });

  test('a secret, whatever it is put in', () => {
    const { log, text } = capture();
    log.info(
      { key: new Secret('private'), nested: [new Secret('private')], shown: inspect(new Secret('private')) },
      String(new Secret('private')),
    );
    expect(text()).not.toContain('private');
  });

  test('ids, times and numbers stay as they are', () => {
    const { log, last } = capture();
    const fields = { messageSid: `SM${'15557654321'.repeat(2)}0123456789`, at: '2026-11-23T10:00:00+01:00', count: 15_557_654_321 };
    log.info({ ...fields, phone: 'x' }, 'kept');
    expect(last()).toMatchObject(fields);
  });
});

describe('an error', () => {
  test('shows its type, message, code, frames and causes', () => {
    const { log, last } = capture();
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), { code: 'ECONNREFUSED', syscall: 'connect' });
    log.error({ err: new TypeError('redis is away', { cause }) }, 'lost redis');
    expect(last()['err']).toMatchObject({
      type: 'TypeError',
      message: 'redis is away',
      stack: expect.stringMatching(/^\s+at .*logger\.test\.ts/),
      cause: { type: 'Error', message: 'connect ECONNREFUSED 127.0.0.1:6379', code: 'ECONNREFUSED', syscall: 'connect' },
    });
  });

  test.each(['err', 'error', 'cause', 'reason'])('given as %s, never shows the request that failed', (key) => {
    const { log, text, last } = capture();
    const error = Object.assign(new Error('Request failed with status code 500'), {
      config: { auth: { password: 'private' }, data: 'Body=private' },
      request: { path: 'private' },
      response: { headers: { authorization: 'private' }, data: 'private' },
      toJSON: () => ({ config: 'private' }),
    });
    log.error({ [key]: error }, 'failed');
    expect(last()[key]).toMatchObject({ type: 'Error', message: 'Request failed with status code 500' });
    log.error(error);
    expect(last()['err']).toMatchObject({ type: 'Error', message: 'Request failed with status code 500' });
    expect(text()).not.toContain('private');
  });

  test('of a query shows neither parameters nor quoted values, also not in its stack', () => {
    const { log, text, last } = capture();
    const cause = Object.assign(new Error('invalid input syntax for type uuid: "private"'), {
      severity: 'ERROR',
      code: '22P02',
      detail: 'Key (recipient)=(private)',
      parameters: ['private'],
    });
    log.error({ err: new Error('Failed query: insert into x values ($1)\nparams: private', { cause }) }, 'failed');
    expect(text()).not.toContain('private');
    expect(last()['err']).toMatchObject({
      message: 'Failed query: insert into x values ($1)',
      cause: { code: '22P02', severity: 'ERROR' },
    });
  });

  test('of several shows the first few', () => {
    const { log, last } = capture();
    log.error({ err: new AggregateError([new Error('first'), new Error('second')], 'all failed') }, 'failed');
    expect(last()['err']).toMatchObject({ errors: [{ message: 'first' }, { message: 'second' }] });
  });

  test('that causes itself ends', () => {
    const { log, last } = capture();
    const error: Error & { cause?: unknown } = new Error('round');
    error.cause = error;
    log.error({ err: error }, 'failed');
    expect(last()['err']).toMatchObject({ message: 'round' });
  });

  test('that is none is shown without its content', () => {
    const { log, last } = capture();
    log.error({ err: new Error('outer', { cause: { body: 'private' } }) }, 'failed');
    expect(last()['err']).toMatchObject({ cause: '[Object]' });
  });
});
