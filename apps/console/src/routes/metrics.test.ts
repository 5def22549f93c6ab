import { randomUUID } from 'node:crypto';
import {
  applyStatuses,
  claimForSending,
  foldDeliveryMetrics,
  recordOutcome,
  refreshPhonePerformance,
  type MetricsAnswer,
  type PhoneMetrics,
} from '@tickmark/delivery';
import type { AcceptedMessage } from '@tickmark/domain';
import { randomPhone, randomSid, statusEvent } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

/** A message that was sent, and what callbacks told of it so many milliseconds after its acceptance. */
async function send(values: Partial<AcceptedMessage>, told: [status: string, afterMs: number, errorCode?: number][]) {
  const message = await app.insert(values);
  const [messageSid, token] = [randomSid(), randomUUID()];
  await claimForSending(app.db, [{ id: message.id, token }], { account: 'any', windowGuard: 'off' });
  const evidence = { httpStatus: 201, errorCode: null, requestId: null };
  await recordOutcome(app.db, [
    { id: message.id, attempt: 1, token, outcome: { kind: 'accepted', messageSid, rawStatus: 'queued', ...evidence } },
  ]);
  const events = told.map(([rawStatus, afterMs, errorCode = null]) => {
    const receivedAt = new Date(Date.parse(message.acceptedAt) + afterMs).toISOString();
    return statusEvent({ messageId: message.id, attempt: 1, messageSid, rawStatus, errorCode, receivedAt });
  });
  await applyStatuses(app.db, events);
  return message;
}

async function ask<Answer = MetricsAnswer>(path: string): Promise<Answer> {
  const { status, json } = await app.get(path);
  expect({ status, json }).toMatchObject({ status: 200 });
  return json as unknown as Answer;
}

describe('GET /v1/metrics/platform', () => {
  it('tells of the last 24 hours, the same before and after a fold', async () => {
    const sender = 'promo';
    await send({ sender }, [
      ['sent', 1_000],
      ['delivered', 2_000],
      ['read', 60_000],
    ]);
    await send({ sender }, [
      ['sent', 1_000],
      ['undelivered', 1_500, 63_024],
    ]);
    await send({ sender }, []);
    await app.insert({ sender });
    const before = await ask(`/v1/metrics/platform?sender=${sender}`);
    expect(before).toMatchObject({
      totals: { messages: 4, pending: 1, attempted: 3, submitted: 3, queued: 1, sent: 0, delivered: 0, read: 1, undelivered: 1 },
      rates: {
        delivery: { value: 1 / 3, numerator: 1, denominator: 3 },
        read: { value: 1, numerator: 1, denominator: 1 },
        failure: { value: 1 / 3, numerator: 1, denominator: 3 },
        completeness: { value: 2 / 3, numerator: 2, denominator: 3 },
      },
      errors: [{ code: 63_024, class: 'recipient', count: 1 }],
    });
    const { toSent, toDelivered, toRead } = before.latency;
    for (const [told, exact] of [
      [toSent.p50, 1],
      [toSent.p99, 1],
      [toDelivered.p50, 2],
      [toRead.p95, 60],
    ] as const) {
      expect(Math.abs(Number(told) / exact - 1)).toBeLessThan(0.02);
    }
    expect(await foldDeliveryMetrics(app.db)).toBeGreaterThan(0);
    const { since, until, series: _series, ...figures } = before;
    expect(Date.parse(until) - Date.parse(since)).toBe(86_400_000);
    expect(await ask(`/v1/metrics/platform?sender=${sender}`)).toMatchObject(figures);
    expect((await ask('/v1/metrics/platform')).totals.messages).toBeGreaterThanOrEqual(4);
  });

  it('takes a range to the millisecond, leaves no point out, and makes a day the sum of its hours', async () => {
    const at = ['2026-03-01T00:10Z', '2026-03-01T23:59:59.999Z', '2026-03-02T00:00Z'];
    await app.db.sql`
      INSERT INTO whatsapp_messages (id, sender, priority, status, rank, created_at, accepted_at, sent_at)
      SELECT gen_random_uuid(), 'old', 'bulk', 'sent', 40, at::timestamptz, at::timestamptz, at::timestamptz + place * interval '1 second'
      FROM unnest(${at}::text[]) WITH ORDINALITY AS a (at, place)`;
    const sentIn = async (since: string, until: string) => {
      const { totals, series } = await ask(`/v1/metrics/platform?sender=old&since=${since}&until=${until}`);
      expect(series.reduce((sum, point) => sum + Number(point.totals.sent), 0)).toBe(totals.sent);
      return totals.sent;
    };
    expect(await sentIn('2026-03-01T00:10:00Z', '2026-03-02T00:00:00Z')).toBe(2);
    expect(await sentIn('2026-03-01T00:10:00.001Z', '2026-03-02T00:00:00.001Z')).toBe(2);
    expect(await sentIn('2026-03-01T00:05:00Z', '2026-03-01T00:20:00Z')).toBe(1);
    expect(await sentIn('2026-03-01T00:20:00Z', '2026-03-01T23:59:59.999Z')).toBe(0);
    expect((await app.get('/v1/metrics/platform?since=2026-03-01T10:30:00Z&until=2026-03-01T10:10:00Z')).status).toBe(400);
    const hours = await ask('/v1/metrics/platform?sender=old&since=2026-03-01T00:00:00Z&until=2026-03-02T01:00:00%2B01:00');
    expect([hours.since, hours.until, hours.series.length]).toEqual(['2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000Z', 24]);
    expect(hours.series.filter(({ totals }) => totals.messages > 0).map(({ at: hour }) => hour)).toEqual([
      '2026-03-01T00:00:00.000Z',
      '2026-03-01T23:00:00.000Z',
    ]);
    const days = await ask('/v1/metrics/platform?sender=old&bucket=day&since=2026-03-01T00:00:00Z&until=2026-03-03T00:00:00Z');
    expect(days.series.map(({ at: day, totals }) => [day, totals.sent])).toEqual([
      ['2026-03-01T00:00:00.000Z', 2],
      ['2026-03-02T00:00:00.000Z', 1],
    ]);
    const { at: _day, ...firstDay } = days.series[0] ?? { at: '' };
    expect(hours).toMatchObject(firstDay);
  });

  it('answers a time and a sender that nothing is known of with zeros', async () => {
    const answer = await ask('/v1/metrics/platform?sender=nobody');
    expect(answer.totals.messages).toBe(0);
    expect(answer.rates.delivery).toEqual({ value: null, numerator: 0, denominator: 0 });
    expect(answer.latency.toRead).toEqual({ p50: null, p95: null, p99: null });
  });

  it.each([
    ['since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z', 'since'],
    ['since=2025-03-02T00:00:00Z&until=2026-03-01T00:00:00Z', 'bucket'],
    ['since=2016-03-02T00:00:00Z&until=2026-03-01T00:00:00Z&bucket=day', 'since'],
    ['since=yesterday', 'since'],
    ['bucket=week', 'bucket'],
    ['from=x', 'from'],
  ])('refuses %s and names what is wrong', async (query, name) => {
    const { status, json } = await app.get(`/v1/metrics/platform?${query}`);
    expect([status, json.error.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(JSON.stringify(json.error)).toContain(name);
  });
});

describe('GET /v1/metrics/phones/:phone', () => {
  it('tells of a recipient, and what it is like', async () => {
    const phone = randomPhone();
    const recipient = `whatsapp:${phone}`;
    await send({ recipient }, [['delivered', 500]]);
    await send({ recipient }, [['undelivered', 900, 63_024]]);
    await refreshPhonePerformance(app.db);
    const both = await ask<Record<'sender' | 'recipient', PhoneMetrics>>(`/v1/metrics/phones/${encodeURIComponent(phone)}`);
    expect(both.recipient).toMatchObject({
      totals: { messages: 2, delivered: 1, undelivered: 1 },
      rates: { delivery: { value: 0.5, numerator: 1, denominator: 2 } },
      performance: {
        attempts: 2,
        delivered: 1,
        failuresByClass: { recipient: 1 },
        lastError: { code: 63_024, class: 'recipient' },
        reachability: 'unreachable',
      },
    });
    expect(both.sender).toMatchObject({ totals: { messages: 0 }, performance: { attempts: 0, reachability: 'unknown', updatedAt: null } });
    const { since, until } = both.recipient;
    for (const form of [recipient, phone]) {
      const path = `/v1/metrics/phones/${encodeURIComponent(form)}?role=recipient&since=${since}&until=${until}`;
      expect(await ask(path)).toEqual(both.recipient);
    }
  });

  it('tells of a sender by its address', async () => {
    const senderAddress = `whatsapp:${randomPhone()}`;
    await app.db.sql`INSERT INTO senders (alias, address, mps) VALUES ('shop', ${senderAddress}, 10)`;
    await send({ sender: 'shop', senderAddress }, [['read', 500]]);
    await foldDeliveryMetrics(app.db);
    await refreshPhonePerformance(app.db);
    const answer = await ask<PhoneMetrics>(`/v1/metrics/phones/${encodeURIComponent(senderAddress)}?role=sender`);
    expect(answer).toMatchObject({ totals: { messages: 1, read: 1 }, performance: { attempts: 1, read: 1, reachability: 'reachable' } });
  });

  it.each(['whatsapp:DE.A1b2C3', 'DE.A1b2C3', `MG${'a'.repeat(32)}`, '+14155550100'])(
    'answers %s, never seen, with zeros',
    async (phone) => {
      const answer = await ask<PhoneMetrics>(`/v1/metrics/phones/${encodeURIComponent(phone)}?role=recipient`);
      expect([answer.totals.messages, answer.performance.attempts, answer.rates.delivery.value]).toEqual([0, 0, null]);
    },
  );

  it.each(['4155550100', 'whatsapp:', '%00', 'support', 'x'.repeat(200)])('refuses %s', async (phone) => {
    const { status, json } = await app.get(`/v1/metrics/phones/${phone}`);
    expect([status, json.error.code]).toEqual([400, 'VALIDATION_FAILED']);
  });
});

describe('GET /v1/metrics/receipts', () => {
  it('tells of how many messages no receipt came, and lists them page by page', async () => {
    const sender = 'silent';
    for (let n = 0; n < 3; n += 1) await send({ sender }, n === 0 ? [['delivered', 100]] : []);
    await app.db.sql`
      UPDATE whatsapp_messages SET created_at = created_at - interval '1 hour', queued_at = queued_at - interval '1 hour',
        delivered_at = delivered_at - interval '1 hour'
      WHERE sender = ${sender}`;
    interface Page {
      accepted: number;
      missing: number;
      missingMessages: { id: string; why: string }[];
      nextCursor: string | null;
    }
    const first = await ask<Page>(`/v1/metrics/receipts?sender=${sender}&limit=1`);
    expect(first).toMatchObject({ accepted: 3, missing: 2, missingMessages: [{ why: expect.stringContaining('not asked') }] });
    const second = await ask<Page>(`/v1/metrics/receipts?sender=${sender}&limit=1&cursor=${first.nextCursor}`);
    expect(second.missingMessages[0]?.id).not.toBe(first.missingMessages[0]?.id);
    expect(second.nextCursor).toBeNull();
  });

  it.each(['within=0', 'template=', 'cursor=x', 'since=2026-01-01T00:00:00Z'])('refuses %s', async (query) => {
    expect(await app.get(`/v1/metrics/receipts?${query}`)).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
  });
});

it('asks for a key that may read', async () => {
  for (const path of ['/v1/metrics/platform', '/v1/metrics/phones/%2B14155550100', '/v1/metrics/receipts']) {
    expect((await app.get(path, null)).status).toBe(401);
    for (const key of ['shop', 'boss'] as const) expect((await app.get(path, key)).status).toBe(403);
  }
});
