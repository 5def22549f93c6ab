import { describe, expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

/** Dashboards and alerts rely on these names and labels. */
const AGREED = {
  tickmark_http_request_duration_seconds: ['method', 'route', 'status'],
  tickmark_callbacks_received_total: ['result'],
  tickmark_callback_signature_total: ['result'],
  tickmark_send_attempts_total: ['sender', 'outcome'],
  tickmark_send_concurrency: [],
  tickmark_send_duration_seconds: [],
  tickmark_message_status_total: ['status'],
  tickmark_message_errors_total: ['code', 'class'],
  tickmark_delivery_latency_seconds: ['stage'],
  tickmark_receipt_completeness_ratio: ['sender'],
  tickmark_queue_jobs: ['queue', 'state'],
  tickmark_queue_oldest_job_age_seconds: ['queue'],
  tickmark_job_duration_seconds: ['queue'],
  tickmark_unknown_outcomes: ['listed'],
  tickmark_reconciled_total: ['result'],
  tickmark_requests_shed_total: ['shed', 'reason'],
  tickmark_rate_limited_total: ['sender'],
  tickmark_circuit_open: ['scope'],
  tickmark_status_events_total: ['kind'],
  tickmark_status_news_total: ['result'],
  tickmark_spooled_events: [],
  tickmark_group_commit_batch_size: ['site'],
  tickmark_idempotency_conflicts_total: [],
  tickmark_dead_letters_total: ['queue'],
  tickmark_clock_skew_seconds: [],
  tickmark_canary_age_seconds: ['queue'],
};

/** prom-client keeps a metric's labels, but its types do not show them. */
function declaredLabels(): Record<string, string[]> {
  const own = Object.values(createMetrics({ process: 'worker' })).filter((field) => 'labelNames' in field) as unknown as {
    name: string;
    labelNames: string[];
  }[];
  return Object.fromEntries(own.map(({ name, labelNames }) => [name, labelNames.filter((label) => label !== 'le')]));
}

describe('the metrics of every process', () => {
  test('are exactly the agreed ones, with the agreed labels', () => {
    expect(declaredLabels()).toEqual(AGREED);
  });

  test('have no label that could hold a phone, a sid, an account or a campaign', () => {
    for (const labels of Object.values(declaredLabels())) {
      expect(labels.filter((label) => /phone|sid|account|campaign|recipient|^to$|^from$|body|message_?id/i.test(label))).toEqual([]);
    }
  });

  test('stand beside the process metrics of prom-client, each with a help text', async () => {
    const text = await createMetrics({ process: 'console' }).registry.metrics();
    expect(text).toContain('\nprocess_cpu_seconds_total ');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    for (const name of Object.keys(AGREED)) expect(text).toMatch(new RegExp(`^# HELP ${name} .{20,}$`, 'm'));
  });

  test('are separate for each call', async () => {
    const [first, second] = [createMetrics({ process: 'worker' }), createMetrics({ process: 'worker' })];
    first.idempotencyConflicts.inc();
    expect(await second.registry.metrics()).toContain('tickmark_idempotency_conflicts_total 0');
  });
});

describe('values that are known beforehand', () => {
  test('appear as 0 in the process that counts them', async () => {
    const text = await createMetrics({ process: 'ingress' }).registry.metrics();
    expect(text).toContain('tickmark_callbacks_received_total{result="invalid_signature"} 0');
    expect(text).toContain('tickmark_callback_signature_total{result="missing"} 0');
  });

  test('do not appear in a process that never counts them', async () => {
    const text = await createMetrics({ process: 'console' }).registry.metrics();
    expect(text).not.toMatch(/^tickmark_callbacks_received_total\{/m);
    expect(text).not.toMatch(/^tickmark_canary_age_seconds\{/m);
  });
});
