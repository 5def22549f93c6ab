import { parseForm } from '@tickmark/twilio';
import { describe, expect, test } from 'vitest';
import { aMessage } from './fixtures/a-message.ts';
import { deleteMessage, fetchMessage, updateMessage } from './message-actions.ts';
import { createMessageStore, type SimulatedMessage } from './message-store.ts';

const setUp = (fields: Partial<SimulatedMessage>) => {
  const store = createMessageStore();
  const message = aMessage(fields);
  store.add(message);
  const canceled: SimulatedMessage[] = [];
  const lifecycle = {
    cancel: (one: SimulatedMessage) => {
      one.status = 'canceled';
      canceled.push(one);
    },
  };
  return { message, canceled, store, deps: { accountSid: `AC${'b'.repeat(32)}`, store, lifecycle, nowMs: () => 1 } };
};
const readAnswer = (answer: ReturnType<typeof fetchMessage>) => {
  if (typeof answer === 'string') throw new Error('nothing was answered');
  return { httpStatus: answer.status, ...(JSON.parse(answer.body || '{}') as { code?: number; body?: string }) };
};

describe('updateMessage', () => {
  test('a scheduled message is canceled', () => {
    const { message, canceled, deps } = setUp({ status: 'scheduled' });
    expect(readAnswer(updateMessage(message.sid, parseForm('Status=canceled'), deps))).toMatchObject({ httpStatus: 200 });
    expect(canceled).toEqual([message]);
  });

  test.each(['accepted', 'queued', 'sending', 'sent', 'delivered', 'failed', 'canceled'])(
    'a message that is %s cannot be canceled any more',
    (status) => {
      const { message, canceled, deps } = setUp({ status });
      expect(readAnswer(updateMessage(message.sid, parseForm('Status=canceled'), deps))).toMatchObject({ httpStatus: 409, code: 30409 });
      expect(canceled).toEqual([]);
    },
  );

  test.each(['sent', 'delivered', 'read', 'failed', 'undelivered', 'canceled', 'received'])(
    'a message that is %s is redacted',
    (status) => {
      const { message, deps } = setUp({ status });
      expect(readAnswer(updateMessage(message.sid, parseForm('Body='), deps))).toMatchObject({ httpStatus: 200, body: '' });
      expect(message.body).toBe('');
    },
  );

  test.each(['accepted', 'scheduled', 'queued', 'sending'])('a message that is %s cannot be redacted yet', (status) => {
    const { message, deps } = setUp({ status });
    expect(readAnswer(updateMessage(message.sid, parseForm('Body='), deps))).toMatchObject({ httpStatus: 409, code: 20009 });
    expect(message.body).toBe('a text');
  });

  test.each(['', 'Status=canceled&Body=', 'Status=delivered', 'Body=other+text'])('"%s" is refused with 30400', (form) => {
    const { message, deps } = setUp({ status: 'scheduled' });
    expect(readAnswer(updateMessage(message.sid, parseForm(form), deps))).toMatchObject({ httpStatus: 400, code: 30400 });
  });
});

describe('deleteMessage', () => {
  test('takes a message away that has ended, and refuses one on its way', () => {
    const { message, deps } = setUp({ status: 'queued' });
    expect(readAnswer(deleteMessage(message.sid, deps))).toMatchObject({ httpStatus: 409, code: 20009 });
    message.status = 'read';
    expect(readAnswer(deleteMessage(message.sid, deps))).toEqual({ httpStatus: 204 });
    expect(readAnswer(fetchMessage(message.sid, deps))).toMatchObject({ httpStatus: 404, code: 20404 });
  });
});

test('an unknown sid is answered 404 with 20404 by every action', () => {
  const { deps } = setUp({});
  const answers = [fetchMessage('SM1', deps), deleteMessage('SM1', deps), updateMessage('SM1', parseForm('Body='), deps)];
  expect(answers.map((answer) => readAnswer(answer).code)).toEqual([20404, 20404, 20404]);
});
