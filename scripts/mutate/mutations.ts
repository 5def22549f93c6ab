/** A guard taken away. The text that is searched stands in its file exactly once, so that an entry cannot go stale without being noticed. */
export interface Mutation {
  name: string;
  edits: { file: string; search: string; replace: string }[];
  /** Test files of which each must fail. */
  noticedBy: string[];
  /** Those that kill processes and take minutes: only with `--faults`. */
  noticedByFaults?: string[];
}

const CLAIM = 'packages/delivery/src/claim-for-sending.ts';
const VERDICT = 'packages/delivery/src/claim-verdict.ts';
const RECORD = 'packages/delivery/src/record-rows.ts';
const RECORD_OUTCOME = 'packages/delivery/src/record-outcome.ts';
const RELEASE = 'packages/delivery/src/release-claim.ts';
const RESEND = 'packages/delivery/src/resend-unknown.ts';
const RESEND_TEST = 'packages/delivery/src/resend-unknown.test.ts';
const CLAIM_TEST = 'packages/delivery/src/claim-for-sending.test.ts';
const VERDICT_TEST = 'packages/delivery/src/claim-verdict.test.ts';
const STOPS_TEST = 'packages/delivery/src/send-stops.test.ts';
const SWEEPER_TEST = 'apps/worker/src/sweeper.test.ts';
const SPOOL_TEST = 'packages/runtime/src/spool/spool.test.ts';
const ROLLUP_TRIGGERS = 'drizzle/0009_delivery_rollup_triggers.sql';
const FOLD_TEST = 'packages/delivery/src/fold-delivery-metrics.test.ts';
const NEVER_TWICE = 'tests/never-twice.faults.test.ts';

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'plans: the list by time has no index',
    edits: [
      {
        file: 'drizzle/0000_initial.sql',
        search: `CREATE INDEX "whatsapp_messages_created" ON "whatsapp_messages" USING btree ("created_at","id");`,
        replace: `CREATE INDEX "whatsapp_messages_created" ON "whatsapp_messages" USING btree ("created_at") WHERE rank < 0;`,
      },
    ],
    noticedBy: ['tests/plans.faults.test.ts'],
  },
  {
    name: 'claim guard: a row that is claimed already, or whose outcome is known, is claimed again',
    edits: [
      { file: VERDICT, search: `    WHEN m.status = 'sending' THEN 'claimed'\n`, replace: '' },
      {
        file: VERDICT,
        search: `WHEN m.status NOT IN ('accepted', 'scheduled', 'retrying') OR m.message_sid IS NOT NULL THEN 'ended'`,
        replace: `WHEN m.message_sid IS NOT NULL THEN 'ended'`,
      },
      {
        file: CLAIM,
        search: `WHERE p.free_at IS NULL AND m.id = p.id AND \${mayStillBeClaimed(sql)}`,
        replace: `WHERE p.free_at IS NULL AND m.id = p.id AND m.message_sid IS NULL`,
      },
    ],
    noticedBy: [CLAIM_TEST],
    noticedByFaults: [NEVER_TWICE],
  },
  {
    name: 'token check by id: whoever asks for a claimed row is told that it is theirs',
    edits: [
      {
        file: CLAIM,
        search: `WHEN d.verdict = 'claimable' THEN CASE WHEN n.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END`,
        replace: `WHEN d.verdict = 'claimable' THEN 'claimed'`,
      },
      {
        file: CLAIM,
        search: `WHEN d.verdict = 'claimed' THEN CASE WHEN d.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END`,
        replace: `WHEN d.verdict = 'claimed' THEN 'claimed'`,
      },
    ],
    noticedBy: [CLAIM_TEST],
    noticedByFaults: [NEVER_TWICE],
  },
  {
    name: 'sid guard: a lost answer is recorded over the sid that a callback has proven',
    edits: [
      {
        file: RECORD,
        search: `WHEN \${mine} AND l.status IN ('sending', 'unknown') AND l.message_sid IS NULL THEN 'record'`,
        replace: `WHEN \${mine} THEN 'record'`,
      },
      {
        file: RECORD,
        search: `WHERE m.id = w.id AND m.claim_token = w.token AND (m.message_sid IS NULL OR m.message_sid = w.message_sid)`,
        replace: `WHERE m.id = w.id AND m.claim_token = w.token`,
      },
    ],
    noticedBy: ['packages/delivery/src/record-outcome.test.ts'],
    noticedByFaults: [NEVER_TWICE],
  },
  {
    name: 'stop: the claim does not look at stops of everything, of the account or of a sender',
    edits: [{ file: VERDICT, search: `THEN 'stopped'`, replace: `THEN 'claimable'` }],
    noticedBy: [STOPS_TEST],
  },
  {
    name: 'stop: the claim does not look at stops of a campaign or a template',
    edits: [{ file: VERDICT, search: `THEN 'parked'`, replace: `THEN 'claimable'` }],
    noticedBy: [STOPS_TEST],
  },
  {
    name: 'stop: it is acknowledged although a claim is under way that does not see it',
    edits: [
      {
        file: 'packages/delivery/src/await-stop-effective.ts',
        search: `(await inStatement(db.sql, (sql) => areRunning(sql, writers))) || `,
        replace: '',
      },
    ],
    noticedBy: ['packages/delivery/src/await-stop-effective.test.ts'],
  },
  ...['canceled', 'suppressed', 'failed'].map((ending) => ({
    name: `guard: a message that has to end as ${ending} is claimed`,
    edits: [{ file: VERDICT, search: `THEN '${ending}'`, replace: `THEN 'claimable'` }],
    noticedBy: [VERDICT_TEST],
  })),
  {
    name: 'pair limit: earlier batches take no places',
    edits: [{ file: 'packages/delivery/src/paced-claims.ts', search: `COALESCE(cardinality(t.times), 0) AS taken`, replace: `0 AS taken` }],
    noticedBy: ['packages/delivery/src/claim-pair-limit.test.ts'],
  },
  {
    name: 'epoch: a wiped Redis is taken for the one that was there',
    edits: [
      { file: 'apps/worker/src/redis-epoch.ts', search: `const wiped = known?.epoch !== epoch;`, replace: `const wiped = known === null;` },
    ],
    noticedBy: [SWEEPER_TEST],
  },
  {
    name: 'sweeper: a waiting row that has no job is given none',
    edits: [
      {
        file: 'apps/worker/src/enqueue-waiting.ts',
        search: `rows.filter((_row, index) => present[index] === false)`,
        replace: `rows.filter((_row, index) => present[index] === undefined)`,
      },
    ],
    noticedBy: [SWEEPER_TEST],
    noticedByFaults: ['tests/flushall.faults.test.ts'],
  },
  {
    name: 'expiry: a message expires before its validity is over',
    edits: [
      { file: 'packages/delivery/src/expire-overdue.ts', search: `expires_at <= now()`, replace: `expires_at <= now() + interval '1 day'` },
    ],
    noticedBy: ['packages/delivery/src/expire-overdue.test.ts'],
  },
  {
    name: 'cleaning: an old cancellation is forgotten although its message may still be sent',
    edits: [
      {
        file: 'packages/delivery/src/delete-leftovers.ts',
        search: `m.id = c.message_id AND m.rank = 0`,
        replace: `m.id = c.message_id AND false`,
      },
    ],
    noticedBy: ['packages/delivery/src/delete-leftovers.test.ts'],
  },
  {
    name: 'release: a claim gives back a row that another claim has by now',
    edits: [
      { file: RELEASE, search: `JOIN locked l USING (id) WHERE l.claim_token = token) c`, replace: `JOIN locked l USING (id)) c` },
      { file: RELEASE, search: `WHERE m.id = c.id AND m.claim_token = c.token AND m.status`, replace: `WHERE m.id = c.id AND m.status` },
    ],
    noticedBy: ['packages/delivery/src/record-outcome.test.ts'],
  },
  {
    name: 'resend: one look that finds nothing is proof enough',
    edits: [{ file: RESEND, search: `export const ABSENCES_MIN = 2;`, replace: `export const ABSENCES_MIN = 1;` }],
    noticedBy: [RESEND_TEST],
  },
  {
    name: 'resend: before the outcome could come by itself',
    edits: [
      {
        file: RESEND,
        search: `AND m.claimed_at < now() - \${RESOLVE_AFTER_SECONDS} * interval '1 second' AND m.sender`,
        replace: `AND m.sender`,
      },
    ],
    noticedBy: [RESEND_TEST],
  },
  {
    name: 'resend: beside a retry of the same message',
    edits: [{ file: RESEND, search: `AND NOT EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = m.id)`, replace: '' }],
    noticedBy: [RESEND_TEST],
  },
  {
    name: 'absence: an empty list proves it, whatever else the list does not show',
    edits: [{ file: 'apps/worker/src/reconcile-pair.ts', search: `(await prove()) ? 'absent' : 'unproven'`, replace: `'absent'` }],
    noticedBy: ['apps/worker/src/reconciler.test.ts'],
  },
  {
    name: 'adoption: more listed messages than attempts, and one is taken all the same',
    edits: [
      {
        file: 'packages/domain/src/match-listed.ts',
        search: `    if (!attempt) return null;\n    free.delete`,
        replace: `    if (!attempt) continue;\n    free.delete`,
      },
    ],
    noticedBy: ['packages/domain/src/match-listed.test.ts'],
  },
  {
    name: 'retry: the retry of a retry',
    edits: [{ file: 'packages/delivery/src/insert-retries.ts', search: `AND origin = 'api' AND retry_of IS NULL AND`, replace: `AND` }],
    noticedBy: ['packages/delivery/src/insert-retries.test.ts'],
  },
  {
    name: 'fence: a process that stood still between claim and call calls all the same',
    edits: [
      {
        file: 'apps/worker/src/processors/send-message.ts',
        search: `if (elapsedMs() > CLAIM_TO_CALL_MS_MAX) return giveBack(deps, id, token);`,
        replace: '',
      },
    ],
    noticedBy: ['apps/worker/src/processors/send-message.test.ts'],
    noticedByFaults: ['tests/stopped-worker.faults.test.ts'],
  },
  {
    name: 'hand-over: what Twilio answered is dropped when Postgres cannot be told',
    edits: [{ file: 'apps/worker/src/hand-over.ts', search: `await producers.addSendOutcome(call);`, replace: `void producers;` }],
    noticedBy: ['apps/worker/src/processors/send-outcome.test.ts'],
    noticedByFaults: ['tests/database-outage.faults.test.ts'],
  },
  {
    name: 'rank guard: the status that came last wins',
    edits: [
      {
        file: 'packages/delivery/src/evidence-columns.ts',
        search: `((e.rank, e.status COLLATE "C", COALESCE(e.error_code, -1)) > (m.rank, m.status COLLATE "C", COALESCE(m.error_code, -1)))`,
        replace: `(e.rank > 20 OR m.rank = 0)`,
      },
    ],
    noticedBy: ['packages/delivery/src/apply-statuses.test.ts', 'packages/delivery/src/apply-statuses.property.test.ts'],
  },
  {
    name: 'bisecting: one item that the database refuses fails its whole batch',
    edits: [
      {
        file: 'packages/delivery/src/settle-batch.ts',
        search: `if (items.length === 1) return [{ ok: false, error }];`,
        replace: `return items.map(() => ({ ok: false, error }));`,
      },
    ],
    noticedBy: ['packages/delivery/src/settle-batch.test.ts', 'apps/worker/src/processors/status-callback.test.ts'],
  },
  {
    name: 'dead letters: one is deleted before its queue has it again',
    edits: [
      {
        file: 'apps/worker/src/return-dead-letters.ts',
        search: `    const refused = await giveBack(`,
        replace: `    await deleteRequestedLetter(db, id);\n    const refused = await giveBack(`,
      },
    ],
    noticedBy: ['apps/worker/src/return-dead-letters.test.ts'],
  },
  {
    name: "list: a message that may just be on its way to its record is taken for somebody else's",
    edits: [
      {
        file: 'packages/delivery/src/compare-listed.ts',
        search: `row?.isOld === true ? 'external' : 'young'`,
        replace: `'external'`,
      },
    ],
    noticedBy: ['packages/delivery/src/compare-listed.test.ts', 'apps/worker/src/receipts.test.ts'],
  },
  {
    name: 'latency: a stage that is told again is measured again',
    edits: [
      {
        file: 'packages/delivery/src/apply-evidence-to-messages.ts',
        search: `l.sent_at IS NULL AND e.sent_at IS NOT NULL AS "sentFirst"`,
        replace: `e.sent_at IS NOT NULL AS "sentFirst"`,
      },
    ],
    noticedBy: ['packages/delivery/src/apply-statuses.test.ts'],
  },
  {
    name: 'durability: a callback is answered 204 before Redis or the disk has it',
    edits: [
      {
        file: 'apps/ingress/src/routes/status-callback.ts',
        search: `await commitWebhook(options, durable.statusCallback(parsed.event));`,
        replace: `commitWebhook(options, durable.statusCallback(parsed.event)).catch(() => undefined);`,
      },
    ],
    noticedBy: ['apps/ingress/src/redis-outage.test.ts'],
  },
  {
    name: 'absence: proven although callbacks may wait on the disk of an ingress',
    edits: [{ file: 'apps/worker/src/prove-absence.ts', search: ` || (await producers.mayBeSpooled())`, replace: '' }],
    noticedBy: ['apps/worker/src/reconciler.test.ts'],
  },
  {
    name: 'spool: an event counts as kept before the disk has flushed it',
    edits: [{ file: 'packages/runtime/src/spool/spool-segment.ts', search: `      await file.datasync();\n`, replace: '' }],
    noticedBy: [SPOOL_TEST],
  },
  {
    name: 'spool: a segment is deleted before Redis has confirmed its events',
    edits: [
      {
        file: 'packages/runtime/src/spool/deliver-segment.ts',
        search: `  for (const { kind, items } of inBatches(records)) {`,
        replace: `  await unlink(path).catch(orNullIfGone);\n  for (const { kind, items } of inBatches(records)) {`,
      },
    ],
    noticedBy: [SPOOL_TEST],
  },
  {
    name: 'event-time guard of suppressions: what comes last holds, whenever it was said',
    edits: [
      {
        file: 'packages/delivery/src/record-suppressions.ts',
        search: `      WHERE (excluded.event_at, excluded.suppressed) > (s.event_at, s.suppressed)\n`,
        replace: '',
      },
    ],
    noticedBy: ['packages/delivery/src/record-suppressions.test.ts', 'apps/worker/src/processors/inbound.test.ts'],
  },
  {
    name: 'order of a refusal: it is recorded before its recipient is suppressed',
    edits: [
      {
        file: RECORD_OUTCOME,
        search: `    if (batch.some(isOptedOut)) await inTransaction(db.sql, (tx) => suppressRefused(tx, batch));\n`,
        replace: '',
      },
      {
        file: RECORD_OUTCOME,
        search: `    const unbound = `,
        replace: `    if (batch.some(isOptedOut)) await inTransaction(db.sql, (tx) => suppressRefused(tx, batch));\n    const unbound = `,
      },
    ],
    noticedBy: ['packages/delivery/src/suppress-opted-out.test.ts'],
  },
  {
    name: 'account: a callback for another account is taken',
    edits: [
      { file: 'apps/ingress/src/verify-webhook.ts', search: `if (received === null || received === expected) return;`, replace: `return;` },
    ],
    noticedBy: ['apps/ingress/src/hostile-inputs.test.ts'],
  },
  {
    name: 'rotation: what the next token signed is refused',
    edits: [{ file: 'apps/ingress/src/main.ts', search: `config.TWILIO_AUTH_TOKEN_NEXT?.reveal() ?? ''`, replace: `''` }],
    noticedBy: ['apps/ingress/src/rotation.test.ts'],
  },
  {
    name: 'load: status callbacks give way as producers do',
    edits: [{ file: 'apps/ingress/src/routes/status-callback.ts', search: `{ quiet: true, shed: 'last' }`, replace: `{ quiet: true }` }],
    noticedBy: ['apps/ingress/src/overload.test.ts'],
  },
  {
    name: 'load: webhooks are refused together with producers',
    edits: [{ file: 'packages/http/src/admission.ts', search: `first: 1, last: 2,`, replace: `first: 1, last: 1,` }],
    noticedBy: ['packages/http/src/admission.test.ts', 'packages/http/src/watch-requests.test.ts'],
  },
  {
    name: 'load: a Redis that is nearly full is given more messages',
    edits: [
      { file: 'packages/queues/src/intake-admission.ts', search: `const MEMORY_SHARE_MAX = 0.9;`, replace: `const MEMORY_SHARE_MAX = 9;` },
    ],
    noticedBy: ['apps/ingress/src/redis-memory.test.ts'],
  },
  {
    name: 'order of a hand-over: an inbound message is marked before consumers are given it',
    edits: [
      {
        file: 'apps/worker/src/hand-over-inbound.ts',
        search: `  const words = optOutWords();\n`,
        replace: `  await markHandedOver(db, messages.map(({ messageSid }) => messageSid));\n  const words = optOutWords();\n`,
      },
    ],
    noticedBy: ['apps/worker/src/hand-over-inbound.test.ts'],
  },
  {
    name: 'inbound backlog: messages leave while a STOP may still wait',
    edits: [{ file: 'apps/worker/src/follow-stops.ts', search: `    if (isInboundBehind) return true;\n`, replace: '' }],
    noticedBy: ['apps/worker/src/follow-stops.test.ts'],
  },
  {
    name: 'inbound backlog: a message that no worker understands keeps all others back',
    edits: [
      {
        file: 'packages/queues/src/inspect-queues.ts',
        search: `time === null || progress === JSON.stringify(NOT_UNDERSTOOD) ?`,
        replace: `time === null || progress === NOT_UNDERSTOOD ?`,
      },
    ],
    noticedBy: ['apps/worker/src/follow-stops.test.ts'],
  },
  {
    name: "the list is not narrowed to a sending key's own messages",
    edits: [
      {
        file: 'apps/console/src/routes/message-list.ts',
        search: 'const visible = own === null ? filter : { ...filter, producer: [own] };',
        replace: 'const visible = filter;',
      },
    ],
    noticedBy: ['apps/console/src/routes/message-list.test.ts'],
  },
  {
    name: 'a route of the console is answered without a key',
    edits: [
      {
        file: 'apps/console/src/routes/tasks.ts',
        search: `onRequest: authenticator.require('read', 'admin'),`,
        replace: '',
      },
    ],
    noticedBy: ['apps/console/src/every-operation.test.ts'],
  },
  {
    name: 'repeated message from a person: it bears the time of its repetition',
    edits: [
      {
        file: 'packages/delivery/src/record-inbound.ts',
        search: `SET received_at = LEAST(i.received_at, excluded.received_at)`,
        replace: `SET received_at = excluded.received_at`,
      },
    ],
    noticedBy: ['packages/delivery/src/record-inbound.test.ts'],
  },
  {
    name: 'task: one that has ended is carried out again',
    edits: [
      {
        file: 'packages/delivery/src/tasks.ts',
        search: `WHERE id = \${id} AND state IN ('queued', 'running')`,
        replace: `WHERE id = \${id}`,
      },
    ],
    noticedBy: ['packages/delivery/src/tasks.test.ts'],
  },
  {
    name: 'task: the stop of a process fails what it was about',
    edits: [{ file: 'apps/worker/src/processors/maintenance.ts', search: `if (signal.aborted || isRedisAway`, replace: `if (isRedisAway` }],
    noticedBy: ['apps/worker/src/processors/maintenance.test.ts'],
  },
  {
    name: 'rollups: a message counts for what it was before as well',
    edits: [
      {
        file: ROLLUP_TRIGGERS,
        search: `SELECT old_hour, old_sender, old_measure, -1 FROM moved`,
        replace: `SELECT old_hour, old_sender, old_measure, 0 FROM moved`,
      },
    ],
    noticedBy: [FOLD_TEST],
    noticedByFaults: ['tests/rollups.faults.test.ts'],
  },
  {
    name: 'rollups: changes that were folded stay and are folded again',
    edits: [
      {
        file: 'packages/delivery/src/fold-delivery-metrics.ts',
        search: `        DELETE FROM delivery_metric_changes
        WHERE id = ANY (ARRAY (SELECT id FROM delivery_metric_changes ORDER BY id LIMIT \${batchRows}))
        RETURNING hour, sender, changes`,
        replace: `        SELECT hour, sender, changes FROM delivery_metric_changes ORDER BY id LIMIT \${batchRows}`,
      },
    ],
    noticedBy: [FOLD_TEST],
  },
  {
    name: 'retry by hand: somebody who must not be written to is',
    edits: [{ file: 'packages/delivery/src/judge-retries.ts', search: `    WHEN \${isSuppressed(sql)} THEN 'suppressed'\n`, replace: '' }],
    noticedBy: ['packages/delivery/src/retry-failed-messages.test.ts'],
  },
  {
    name: 'retry by hand: a filter means retries too, and each click writes to the same people',
    edits: [
      {
        file: 'packages/delivery/src/choose-retries.ts',
        search: `retries.has(id) ? 'is_retry' : objection`,
        replace: `objection`,
      },
    ],
    noticedBy: ['tests/retry-by-hand.test.ts'],
  },
  {
    name: 'retry by hand: what was sent again already counts as to be sent',
    edits: [
      {
        file: 'packages/delivery/src/judge-retries.ts',
        search: `    WHEN EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = m.id) THEN 'already_retried'\n`,
        replace: '',
      },
    ],
    noticedBy: ['packages/delivery/src/retry-failed-messages.test.ts'],
  },
  {
    name: 'retry by hand: what nobody knows the outcome of is sent again',
    edits: [
      {
        file: 'packages/delivery/src/judge-retries.ts',
        search: `WHEN m.status NOT IN ('failed', 'undelivered', 'expired') THEN 'not_failed'`,
        replace: `WHEN m.status NOT IN ('failed', 'undelivered', 'expired', 'unknown') THEN 'not_failed'`,
      },
      { file: 'packages/delivery/src/judge-retries.ts', search: `    WHEN m.status = 'unknown' THEN 'unknown'\n`, replace: '' },
    ],
    noticedBy: ['packages/delivery/src/retry-failed-messages.test.ts'],
  },
  {
    name: 'receipts: one that came too late counts as in time',
    edits: [
      {
        file: 'packages/delivery/src/read-receipts.ts',
        search: `(count(*) FILTER (WHERE final_at <= in_time))::int AS final`,
        replace: `(count(final_at))::int AS final`,
      },
    ],
    noticedBy: ['packages/delivery/src/get-receipt-completeness.test.ts'],
  },
  {
    name: 'cleanup: rows are deleted by a file that is not what was written',
    edits: [
      {
        file: 'packages/delivery/src/archive/archive-file.ts',
        search: 'throw new ArchiveDamagedError(`${path} is damaged',
        replace: 'if (count < 0) throw new ArchiveDamagedError(`${path} is damaged',
      },
    ],
    noticedBy: ['packages/delivery/src/retention/cleanup-old-messages.test.ts'],
  },
  {
    name: 'cleanup: messages go whatever their status is',
    edits: [
      {
        file: 'packages/delivery/src/retention/retained-messages.ts',
        search: 'return sql`m.status = ANY (${FINAL_STATUSES}::text[])`;',
        replace: 'return sql`(m.status = ANY (${FINAL_STATUSES}::text[])) IS NOT NULL`;',
      },
    ],
    noticedBy: ['packages/delivery/src/retention/cleanup-old-messages.test.ts'],
  },
  {
    name: 'erasure: an accepted message to somebody else is dropped because it quotes the person',
    edits: [
      {
        file: 'packages/queues/src/erase-from-queues.ts',
        search: `items.filter((item) => !isOwn(item, pattern))`,
        replace: `items.filter((item) => !pattern.test(JSON.stringify(item)))`,
      },
    ],
    noticedBy: ['packages/queues/src/erase-from-queues.test.ts'],
  },
  {
    name: 'erasure: a message to somebody else is sent in other words than it was accepted',
    edits: [
      {
        file: 'packages/delivery/src/retention/search-tables.ts',
        search: 'isMessages ? tx`AND t.rank > 0` : tx``',
        replace: 'isMessages ? tx`AND t.rank >= 0` : tx``',
      },
    ],
    noticedBy: ['packages/delivery/src/retention/search-tables.test.ts'],
  },
  {
    name: 'erasure: a message that arrives meanwhile is kept as one to nobody',
    edits: [
      {
        file: 'packages/delivery/src/retention/search-tables.ts',
        search: '::text[])) IS NOT TRUE`',
        replace: '::text[])) IS NOT NULL`',
      },
    ],
    noticedBy: ['packages/delivery/src/retention/search-tables.test.ts'],
  },
  {
    name: 'erasure: a repeated request sends again what was erased',
    edits: [
      {
        file: 'packages/delivery/src/insert-accepted.ts',
        search: 'WHERE NOT EXISTS (SELECT FROM message_tombstones t WHERE t.message_id = m.id)',
        replace: 'WHERE true',
      },
    ],
    noticedBy: ['packages/delivery/src/insert-accepted.test.ts'],
  },
  {
    name: 'erasure: the archive keeps the person',
    edits: [
      {
        file: 'packages/delivery/src/retention/erase-archives.ts',
        search: `    if (found > 0) await archive.rewrite`,
        replace: `    if (found < 0) await archive.rewrite`,
      },
    ],
    noticedBy: ['apps/worker/src/erase-person.test.ts'],
  },
  {
    name: 'cleanup: a row that changed after it was archived is deleted',
    edits: [
      {
        file: 'packages/delivery/src/retention/archive-old.ts',
        search: `archived.get(key) === sha256)`,
        replace: `archived.has(key) && sha256 !== '')`,
      },
    ],
    noticedBy: ['packages/delivery/src/retention/cleanup-old-messages.test.ts'],
  },
];
