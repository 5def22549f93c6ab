import { waitFor } from '@tickmark/testing';
import { describe, expect, test, vi } from 'vitest';
import type { CallbackRow } from './callback-log.ts';
import type { Webhook } from './callback-sender.ts';
import { aMessage } from './fixtures/a-message.ts';
import { createLifecycle } from './lifecycle.ts';
import type { SimulatedMessage } from './message-store.ts';
import type { Plan } from './plan.ts';

const DAY_MS = 86_400_000;

const plan = (words: string[], fields: Partial<Plan> = {}): Plan => ({
  steps: words.map((word) => {
    const quiet = word === 'sending';
    return {
      status: word === 'transmitted' ? null : word,
      callback: quiet ? null : word,
      errorCode: word === 'failed' ? 63016 : null,
      delayMs: 1,
    };
  }),
  drop: () => false,
  duplicate: () => false,
  reorder: false,
  beforeAnswer: false,
  ...fields,
});

const setUp = (message: Partial<SimulatedMessage> = {}) => {
  const sent: Webhook[] = [];
  const rows: CallbackRow[] = [];
  const lifecycle = createLifecycle({
    accountSid: `AC${'b'.repeat(32)}`,
    sender: {
      send: async (webhook) => {
        sent.push(webhook);
        return { httpStatus: 204, tries: 1 };
      },
    },
    ledger: { recordCallback: (row) => void rows.push(row) },
    chooseSender: () => 'whatsapp:+14155238886',
    nowMs: () => 42,
  });
  return { message: aMessage({ statusCallback: 'http://127.0.0.1/', ...message }), sent, rows, lifecycle };
};
const wordsOf = (sent: Webhook[]) => sent.map(({ params }) => params['MessageStatus']);

describe('start', () => {
  test('takes the steps in order, tells of those with a callback, and writes each into the ledger', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['sending', 'sent', 'delivered', 'read']));
    await waitFor(() => rows.length === 3);
    expect(wordsOf(sent)).toEqual(['sent', 'delivered', 'read']);
    expect(rows[0]).toEqual({ sid: message.sid, status: 'sent', at: 42, httpStatus: 204, tries: 1 });
    expect(message).toMatchObject({ status: 'read', updatedAt: 42, sentAt: 42, errorCode: null });
  });

  test('a failure sets the code and no time of sending', async () => {
    const { message, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['failed']));
    await waitFor(() => rows.length === 1);
    expect(message).toMatchObject({ status: 'failed', errorCode: 63016, sentAt: null });
  });

  test('a message without a sender gets one with its first step', async () => {
    const { message, sent, rows, lifecycle } = setUp({ from: null, messagingServiceSid: `MG${'5'.repeat(32)}` });
    lifecycle.start(message, plan(['queued']));
    await waitFor(() => rows.length === 1);
    expect(message.from).toBe('whatsapp:+14155238886');
    expect(sent[0]?.params['From']).toBe('whatsapp:+14155238886');
  });

  test('a duplicated callback is sent twice with one token', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['sent'], { duplicate: () => true }));
    await waitFor(() => rows.length === 2);
    expect(sent[0]).toEqual(sent[1]);
  });

  test('a dropped callback is never sent, but written down with no tries', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['sent'], { drop: () => true }));
    await waitFor(() => rows.length === 1);
    expect(sent).toEqual([]);
    expect(rows[0]).toMatchObject({ httpStatus: null, tries: 0 });
    expect(message.status).toBe('sent');
  });

  test('reordered callbacks come last one first, each with the status of its own step', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['sent', 'delivered', 'read'], { reorder: true }));
    await waitFor(() => rows.length === 3);
    expect(wordsOf(sent)).toEqual(['read', 'delivered', 'sent']);
  });

  test('an unknown word is told, the status stays', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    lifecycle.start(message, plan(['sent', 'transmitted']));
    await waitFor(() => rows.length === 2);
    expect(wordsOf(sent)).toEqual(['sent', 'transmitted']);
    expect(message.status).toBe('sent');
  });

  test('without a StatusCallback nothing is sent and nothing written down', async () => {
    const { message, sent, rows, lifecycle } = setUp({ statusCallback: null });
    lifecycle.start(message, plan(['sent', 'read']));
    await waitFor(() => message.status === 'read');
    expect([sent, rows]).toEqual([[], []]);
  });

  test('after close no further step is taken', async () => {
    const { message, sent, lifecycle } = setUp();
    const other = aMessage();
    lifecycle.start(message, plan(['sent']));
    lifecycle.close();
    const open = setUp();
    open.lifecycle.start(other, plan(['sent']), 5);
    await waitFor(() => other.status === 'sent');
    expect(sent).toEqual([]);
  });

  test('a wait of more than the 24 days that a timer can hold is kept to the day', async () => {
    vi.useFakeTimers();
    try {
      const { message, lifecycle } = setUp();
      lifecycle.start(message, plan(['sent']), 30 * DAY_MS);
      await vi.advanceTimersByTimeAsync(30 * DAY_MS - 1000);
      expect(message.status).toBe('queued');
      await vi.advanceTimersByTimeAsync(2000);
      expect(message.status).toBe('sent');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('hasten', () => {
  test('takes the first callback’s step at once, waits for its answer and leaves the rest', async () => {
    const { message, sent, rows, lifecycle } = setUp();
    const rest = await lifecycle.hasten(message, plan(['sending', 'sent', 'delivered']));
    expect(wordsOf(sent)).toEqual(['sent']);
    expect(rows).toHaveLength(1);
    expect(message.status).toBe('sent');
    lifecycle.start(message, rest);
    await waitFor(() => rows.length === 2);
    expect(wordsOf(sent)).toEqual(['sent', 'delivered']);
  });
});

describe('cancel', () => {
  test('tells of it and ends the message’s way', async () => {
    const { message, sent, rows, lifecycle } = setUp({ status: 'scheduled' });
    const other = aMessage();
    lifecycle.start(message, plan(['sent']), 5);
    lifecycle.cancel(message);
    lifecycle.start(other, plan(['sent']), 10);
    await waitFor(() => rows.length === 1 && other.status === 'sent');
    expect(wordsOf(sent)).toEqual(['canceled']);
    expect(message.status).toBe('canceled');
  });
});
