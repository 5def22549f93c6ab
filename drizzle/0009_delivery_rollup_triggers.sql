-- What one message counts for is said once, here; triggers, repairs and the metrics of one phone all ask these functions. Their arguments are cheap
-- and nothing in them is volatile, so that the planner inlines them: called as functions they cost six times as much.

-- Bucket of a latency: -1 for none, else the number n of the bucket that ends with g^n milliseconds, g = 1.02 / 0.98. The middle of a bucket is
-- within 2 % of all that is in it. packages/domain/src/sketch.ts reads it back.
CREATE FUNCTION delivery_latency_bucket(started_at timestamptz, reached_at timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN reached_at <= started_at THEN -1
    WHEN reached_at > started_at
      THEN ceil(ln(GREATEST(1, round(date_part('epoch', reached_at - started_at) * 1000))) / ln(1.02::float8 / 0.98::float8))::integer
  END
$$;
--> statement-breakpoint
-- The measures that a message adds one to, each at a place of its own, null where it adds nothing. None of them tells the waiting statuses apart, so
-- that a claim changes nothing here; how many wait is what is left of all messages.
CREATE FUNCTION delivery_measures(
  status text, error_code integer, has_sid boolean, started_at timestamptz, sent_at timestamptz, delivered_at timestamptz, read_at timestamptz
) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY[
    'messages',
    CASE WHEN status NOT IN ('accepted', 'scheduled', 'sending', 'retrying') THEN status END,
    CASE WHEN has_sid OR status = 'failed' THEN 'attempted' END,
    CASE WHEN has_sid THEN 'submitted' END,
    CASE WHEN has_sid AND status IN ('canceled', 'expired', 'suppressed', 'failed', 'undelivered', 'delivered', 'read') THEN 'complete' END,
    CASE WHEN status IN ('failed', 'undelivered') THEN 'error ' || error_code::text END,
    'toSent ' || delivery_latency_bucket(started_at, sent_at)::text,
    'toDelivered ' || delivery_latency_bucket(started_at, delivered_at)::text,
    'toRead ' || delivery_latency_bucket(started_at, read_at)::text
  ]
$$;
--> statement-breakpoint
CREATE FUNCTION delivery_hour(created_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT date_bin('1 hour', created_at, '2000-01-01 00:00:00+00'::timestamptz) $$;
--> statement-breakpoint
CREATE FUNCTION add_measures(a jsonb, b jsonb, factor integer DEFAULT 1) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  -- Measures that went back to nothing are left out.
  SELECT COALESCE(jsonb_object_agg(measure, count) FILTER (WHERE count <> 0), '{}') FROM (
    SELECT measure, sum(count) AS count FROM (
      SELECT key AS measure, value::bigint AS count FROM jsonb_each_text(a)
      UNION ALL
      SELECT key, factor * value::bigint FROM jsonb_each_text(b)
    ) parts GROUP BY measure
  ) sums
$$;
--> statement-breakpoint
CREATE FUNCTION note_inserted_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH noted AS (
    INSERT INTO changed_recipients (recipients)
    SELECT array_agg(recipient) FROM (
      SELECT recipient, row_number() OVER () / 500 AS page
      FROM (SELECT DISTINCT recipient FROM new_rows WHERE rank > 0 AND recipient IS NOT NULL) r
    ) p GROUP BY page
  )
  INSERT INTO delivery_metric_changes (hour, sender, changes)
  SELECT hour, sender, jsonb_object_agg(measure, change) FROM (
    SELECT delivery_hour(created_at) AS hour, COALESCE(sender, sender_address, '') AS sender, measure, count(*) AS change
    FROM new_rows, unnest(delivery_measures(
      status, error_code, message_sid IS NOT NULL, GREATEST(accepted_at, send_at), sent_at, delivered_at, read_at)) AS measure
    WHERE measure IS NOT NULL
    GROUP BY 1, 2, 3
  ) c GROUP BY hour, sender;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION note_updated_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH changed AS MATERIALIZED (
    SELECT * FROM (
      SELECT n.recipient,
        delivery_hour(n.created_at) AS hour, COALESCE(n.sender, n.sender_address, '') AS sender,
        delivery_measures(n.status, n.error_code, n.message_sid IS NOT NULL, GREATEST(n.accepted_at, n.send_at), n.sent_at, n.delivered_at, n.read_at)
          AS measures,
        delivery_hour(o.created_at) AS old_hour, COALESCE(o.sender, o.sender_address, '') AS old_sender,
        delivery_measures(o.status, o.error_code, o.message_sid IS NOT NULL, GREATEST(o.accepted_at, o.send_at), o.sent_at, o.delivered_at, o.read_at)
          AS old_measures
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      OFFSET 0
    ) m
    WHERE measures <> old_measures OR sender <> old_sender OR hour <> old_hour
  ), moved AS (
    -- Place by place: what a message counts for before and after is left out at once.
    SELECT c.hour, c.sender, c.old_hour, c.old_sender, m.measure, m.old_measure
    FROM changed c, unnest(c.measures, c.old_measures) AS m (measure, old_measure)
    WHERE m.measure IS DISTINCT FROM m.old_measure OR c.sender <> c.old_sender OR c.hour <> c.old_hour
  ), noted AS (
    INSERT INTO changed_recipients (recipients)
    SELECT array_agg(recipient) FROM (
      SELECT recipient, row_number() OVER () / 500 AS page FROM (SELECT DISTINCT recipient FROM changed WHERE recipient IS NOT NULL) r
    ) p GROUP BY page
  )
  INSERT INTO delivery_metric_changes (hour, sender, changes)
  SELECT hour, sender, jsonb_object_agg(measure, change) FROM (
    SELECT hour, sender, measure, sum(change)::integer AS change FROM (
      SELECT hour, sender, measure, 1 AS change FROM moved WHERE measure IS NOT NULL
      UNION ALL
      SELECT old_hour, old_sender, old_measure, -1 FROM moved WHERE old_measure IS NOT NULL
    ) d GROUP BY hour, sender, measure HAVING sum(change) <> 0
  ) c GROUP BY hour, sender;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER note_inserted_messages AFTER INSERT ON whatsapp_messages
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_inserted_messages();
--> statement-breakpoint
CREATE TRIGGER note_updated_messages AFTER UPDATE ON whatsapp_messages
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_updated_messages();
--> statement-breakpoint
-- Rows are added and soon deleted here, all the time.
ALTER TABLE "delivery_metric_changes" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
--> statement-breakpoint
ALTER TABLE "changed_recipients" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
--> statement-breakpoint
-- What was there before the triggers.
INSERT INTO delivery_metric_changes (hour, sender, changes)
SELECT hour, sender, jsonb_object_agg(measure, change) FROM (
  SELECT delivery_hour(created_at) AS hour, COALESCE(sender, sender_address, '') AS sender, measure, count(*) AS change
  FROM whatsapp_messages, unnest(delivery_measures(
    status, error_code, message_sid IS NOT NULL, GREATEST(accepted_at, send_at), sent_at, delivered_at, read_at)) AS measure
  WHERE measure IS NOT NULL
  GROUP BY 1, 2, 3
) c GROUP BY hour, sender;
