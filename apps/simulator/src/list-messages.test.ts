import { describe, expect, test } from 'vitest';
import { aMessage } from './fixtures/a-message.ts';
import { listMessages } from './list-messages.ts';
import { createMessageStore } from './message-store.ts';

const ACCOUNT = `AC${'b'.repeat(32)}`;
interface Page {
  messages: { sid: string }[];
  start: number;
  end: number;
  page: number;
  page_size: number;
  uri: string;
  first_page_uri: string;
  next_page_uri: string | null;
  previous_page_uri: string | null;
}

const storeOf = (count: number, fields: (index: number) => object = () => ({})) => {
  const store = createMessageStore();
  for (let index = 0; index < count; index++) store.add(aMessage({ sid: `SM${index}`, ...fields(index) }));
  return store;
};
const list = (store: ReturnType<typeof createMessageStore>, query: string) => {
  const answer = listMessages(new URLSearchParams(query), store, ACCOUNT);
  return JSON.parse(typeof answer === 'string' ? answer : answer.body) as Page;
};
const sids = (page: Page) => page.messages.map(({ sid }) => sid);

describe('listMessages', () => {
  test('pages follow each other by their uri, and show each message once although others are created meanwhile', () => {
    const store = storeOf(5);
    const first = list(store, 'PageSize=2');
    expect(first).toMatchObject({ start: 0, end: 1, page: 0, page_size: 2, previous_page_uri: null });
    store.add(aMessage({ sid: 'SM5' }));
    const second = list(store, first.next_page_uri?.split('?')[1] ?? '');
    const third = list(store, second.next_page_uri?.split('?')[1] ?? '');
    expect([sids(first), sids(second), sids(third)]).toEqual([['SM4', 'SM3'], ['SM2', 'SM1'], ['SM0']]);
    expect(second).toMatchObject({ start: 2, end: 3, page: 1 });
    expect(third).toMatchObject({ start: 4, end: 4, page: 2, next_page_uri: null });
  });

  test('a page that ends exactly with the last message has no next one', () => {
    expect(list(storeOf(4), 'PageSize=2&Page=1')).toMatchObject({ next_page_uri: null, start: 2, end: 3 });
  });

  test('an empty list is a page with nothing in it', () => {
    expect(list(createMessageStore(), '')).toMatchObject({ messages: [], start: 0, end: 0, page_size: 50, next_page_uri: null });
  });

  test.each([
    ['', 50],
    ['PageSize=1000', 1000],
    ['PageSize=5000', 1000],
    ['PageSize=0', 50],
    ['PageSize=x', 50],
  ])('"%s" means pages of %i', (query, size) => {
    expect(list(storeOf(1), query).page_size).toBe(size);
  });

  test('To and From choose messages, and stand encoded in the uris of further pages', () => {
    const store = storeOf(6, (index) => ({ to: `whatsapp:+1202555010${index % 2}`, from: index < 4 ? 'whatsapp:+14155238886' : null }));
    const page = list(
      store,
      `To=${encodeURIComponent('whatsapp:+12025550101')}&From=${encodeURIComponent('whatsapp:+14155238886')}&PageSize=1`,
    );
    expect(sids(page)).toEqual(['SM3']);
    expect(page.next_page_uri).toContain('To=whatsapp%3A%2B12025550101&From=whatsapp%3A%2B14155238886');
    expect(sids(list(store, page.next_page_uri?.split('?')[1] ?? ''))).toEqual(['SM1']);
  });

  test.each([
    ['DateSent=2026-11-22', ['SM2', 'SM1']],
    ['DateSent>=2026-11-22', ['SM3', 'SM2', 'SM1']],
    ['DateSent<=2026-11-22', ['SM2', 'SM1', 'SM0']],
    ['DateSent>=2026-11-22&DateSent<=2026-11-22', ['SM2', 'SM1']],
    ['DateSent>=2026-11-22T23:59:59Z', ['SM3', 'SM2']],
    ['DateSent<=2026-11-22T00:00:00Z', ['SM1', 'SM0']],
    ['DateSent>=2026-11-22 23:59:59', ['SM3', 'SM2']],
    ['DateSent=2026-11-21T12:00:00Z', ['SM0']],
    ['DateSent=2026-11-21T12:00:00.400Z', ['SM0']],
    ['DateSent>=2026-11-21T12:00:00.900Z', ['SM3', 'SM2', 'SM1', 'SM0']],
    ['DateSent>=someday', ['SM4', 'SM3', 'SM2', 'SM1', 'SM0']],
  ])('%s chooses %s', (filter, expected) => {
    const sentAt = ['2026-11-21T12:00:00.400Z', '2026-11-22T00:00:00Z', '2026-11-22T23:59:59.900Z', '2026-11-23T00:00:00Z'].map(Date.parse);
    const store = storeOf(5, (index) => ({ sentAt: sentAt[index] ?? null }));
    const query = filter.replaceAll('>=', '%3E=').replaceAll('<=', '%3C=');
    expect(sids(list(store, query))).toEqual(expected);
  });
});
