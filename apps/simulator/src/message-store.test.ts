import { describe, expect, test } from 'vitest';
import { createMessageStore, type SimulatedMessage } from './message-store.ts';

const message = (sid: string): SimulatedMessage => ({
  sid,
  to: 'whatsapp:US.somebody',
  from: null,
  messagingServiceSid: null,
  body: null,
  mediaCount: 0,
  direction: 'outbound-api',
  status: 'queued',
  errorCode: null,
  createdAt: 0,
  updatedAt: 0,
  sentAt: null,
  statusCallback: null,
  template: true,
  fate: 0,
});
const sidsOf = (messages: Iterable<SimulatedMessage>) => [...messages].map(({ sid }) => sid);

describe('createMessageStore', () => {
  test('messages are told newest first, and from one on only older ones', () => {
    const store = createMessageStore();
    for (const sid of ['a', 'b', 'c', 'd']) store.add(message(sid));
    expect(sidsOf(store.newestFirst())).toEqual(['d', 'c', 'b', 'a']);
    expect(sidsOf(store.newestFirst('c'))).toEqual(['b', 'a']);
    expect(sidsOf(store.newestFirst('a'))).toEqual([]);
    expect(sidsOf(store.newestFirst('unknown'))).toEqual([]);
  });

  test('a removed message is gone from everywhere', () => {
    const store = createMessageStore();
    for (const sid of ['a', 'b', 'c']) store.add(message(sid));
    expect(store.remove('b')).toBe(true);
    expect(store.remove('b')).toBe(false);
    expect(store.get('b')).toBeUndefined();
    expect(sidsOf(store.newestFirst())).toEqual(['c', 'a']);
  });

  test('only the newest messages are kept, also long after the bound was reached', () => {
    const store = createMessageStore({ messagesMax: 3 });
    for (let index = 0; index < 100; index++) {
      store.add(message(`m${index}`));
      if (index === 50) store.remove('m50');
    }
    expect(sidsOf(store.newestFirst())).toEqual(['m99', 'm98', 'm97']);
    expect(sidsOf(store.newestFirst('m98'))).toEqual(['m97']);
    expect(store.get('m96')).toBeUndefined();
    expect(store.get('m97')?.sid).toBe('m97');
  });
});
