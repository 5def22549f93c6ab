import { describe, expect, test } from 'vitest';
import { aMessage } from './fixtures/a-message.ts';
import { toResource, toRfc2822 } from './resource.ts';

const ACCOUNT = `AC${'b'.repeat(32)}`;

describe('toResource', () => {
  test('a new message has the members and types of a captured one', () => {
    const { sid } = aMessage();
    expect(toResource(aMessage(), ACCOUNT)).toEqual({
      account_sid: ACCOUNT,
      api_version: '2010-04-01',
      body: 'a text',
      date_created: 'Mon, 23 Nov 2026 10:00:00 +0000',
      date_sent: null,
      date_updated: 'Mon, 23 Nov 2026 10:00:00 +0000',
      direction: 'outbound-api',
      error_code: null,
      error_message: null,
      from: 'whatsapp:+14155238886',
      messaging_service_sid: null,
      num_media: '0',
      num_segments: '1',
      price: null,
      price_unit: null,
      sid,
      status: 'queued',
      subresource_uris: { media: `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid}/Media.json` },
      to: 'whatsapp:US.someone',
      uri: `/2010-04-01/Accounts/${ACCOUNT}/Messages/${sid}.json`,
    });
  });

  test('a failed message tells its code as a number and in words', () => {
    const resource = toResource(aMessage({ status: 'failed', errorCode: 63016 }), ACCOUNT);
    expect(resource).toMatchObject({ error_code: 63016, error_message: expect.stringMatching(/\w/) });
  });

  test('what was sent has a date and a price, what a person sent has no price', () => {
    const sentAt = Date.parse('2026-11-23T10:00:01.999Z');
    expect(toResource(aMessage({ sentAt }), ACCOUNT)).toMatchObject({ date_sent: 'Mon, 23 Nov 2026 10:00:01 +0000', price: '-0.00500' });
    expect(toResource(aMessage({ sentAt, direction: 'inbound' }), ACCOUNT)).toMatchObject({ price: null });
  });
});

test('dates are written with two digits a day and the offset of GMT', () => {
  expect(toRfc2822(Date.parse('2026-01-02T03:04:05Z'))).toBe('Fri, 02 Jan 2026 03:04:05 +0000');
});
