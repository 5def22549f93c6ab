import { randomBody } from '@tickmark/testing';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { withoutPayload } from './errors.ts';

test('a copied error keeps its name, code and first line and nothing that hangs on it', () => {
  const body = randomBody();
  const error = Object.assign(new Error(`OOM command not allowed\nparams: ${body}`), {
    name: 'ReplyError',
    code: 'OOM',
    command: { name: 'evalsha', args: [body] },
  });
  const copy = withoutPayload(error);
  expect(copy).toMatchObject({ name: 'ReplyError', code: 'OOM', message: 'OOM command not allowed' });
  expect(inspect(copy, { depth: 9 })).not.toContain(body);
});

test('what is thrown and no Error is not repeated', () => {
  expect(withoutPayload('+15551234567').message).not.toContain('+1555');
});
