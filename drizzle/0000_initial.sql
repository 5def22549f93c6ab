CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"message_id" uuid,
	"reason" text,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "cancel_requests" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"producer" text NOT NULL,
	"requested_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "customer_service_windows" (
	"sender_address" text NOT NULL,
	"recipient" text NOT NULL,
	"first_inbound_at" timestamp (3) with time zone NOT NULL,
	"last_inbound_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "customer_service_windows_sender_address_recipient_pk" PRIMARY KEY("sender_address","recipient")
);
--> statement-breakpoint
CREATE TABLE "dead_letters" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "dead_letters_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"queue" text NOT NULL,
	"job_id" text NOT NULL,
	"payload" jsonb NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "dead_letters_once" UNIQUE("queue","job_id")
);
--> statement-breakpoint
CREATE TABLE "error_policies" (
	"code" integer PRIMARY KEY NOT NULL,
	"action" text NOT NULL,
	"reason" text,
	"updated_by" text,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "action_known" CHECK (action IN ('retry', 'stop', 'hold'))
);
--> statement-breakpoint
CREATE TABLE "inbound_messages" (
	"message_sid" text PRIMARY KEY NOT NULL,
	"from_address" text NOT NULL,
	"to_address" text NOT NULL,
	"messaging_service_sid" text,
	"body" text,
	"media" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"button_text" text,
	"button_payload" text,
	"content_key_id" text,
	"replied_to_sid" text,
	"profile_name" text,
	"opt_out_type" text,
	"received_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"handed_over_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "message_attempts" (
	"message_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"claim_token" uuid,
	"claimed_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	"outcome" text,
	"message_sid" text,
	"status" text,
	"rank" smallint DEFAULT 0 NOT NULL,
	"error_code" integer,
	"http_status" smallint,
	"request_id" text,
	CONSTRAINT "message_attempts_message_id_attempt_pk" PRIMARY KEY("message_id","attempt"),
	CONSTRAINT "attempt_outcome_known" CHECK (outcome IN ('accepted', 'throttled', 'rejected', 'unknown', 'released'))
);
--> statement-breakpoint
CREATE TABLE "message_delivery_metrics" (
	"hour" timestamp (3) with time zone NOT NULL,
	"sender" text NOT NULL,
	"accepted" integer DEFAULT 0 NOT NULL,
	"sent" integer DEFAULT 0 NOT NULL,
	"delivered" integer DEFAULT 0 NOT NULL,
	"read" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"undelivered" integer DEFAULT 0 NOT NULL,
	"canceled" integer DEFAULT 0 NOT NULL,
	"expired" integer DEFAULT 0 NOT NULL,
	"suppressed" integer DEFAULT 0 NOT NULL,
	"unknown" integer DEFAULT 0 NOT NULL,
	"errors" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"to_sent" integer[],
	"to_delivered" integer[],
	"to_read" integer[],
	"dirty" boolean DEFAULT true NOT NULL,
	"computed_at" timestamp (3) with time zone,
	CONSTRAINT "message_delivery_metrics_sender_hour_pk" PRIMARY KEY("sender","hour")
);
--> statement-breakpoint
CREATE TABLE "message_status_logs" (
	"message_sid" text NOT NULL,
	"status" text NOT NULL,
	"error_code" integer,
	"message_id" uuid NOT NULL,
	"attempt" integer,
	"source" text NOT NULL,
	"channel_status_message" text,
	"received_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "message_status_logs_once" UNIQUE NULLS NOT DISTINCT("message_sid","status","error_code")
);
--> statement-breakpoint
CREATE TABLE "message_tombstones" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"deleted_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "phone_delivery_performance" (
	"phone" text NOT NULL,
	"role" text NOT NULL,
	"accepted" integer DEFAULT 0 NOT NULL,
	"sent" integer DEFAULT 0 NOT NULL,
	"delivered" integer DEFAULT 0 NOT NULL,
	"read" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"undelivered" integer DEFAULT 0 NOT NULL,
	"last_error_code" integer,
	"first_message_at" timestamp (3) with time zone,
	"last_message_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "phone_delivery_performance_phone_role_pk" PRIMARY KEY("phone","role"),
	CONSTRAINT "role_known" CHECK (role IN ('sender', 'recipient'))
);
--> statement-breakpoint
CREATE TABLE "senders" (
	"alias" text PRIMARY KEY NOT NULL,
	"address" text NOT NULL,
	"mps" double precision NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "senders_address" UNIQUE("address"),
	CONSTRAINT "state_known" CHECK (state IN ('active', 'paused')),
	CONSTRAINT "mps_positive" CHECK (mps > 0)
);
--> statement-breakpoint
CREATE TABLE "suppressions" (
	"sender_address" text NOT NULL,
	"recipient" text NOT NULL,
	"category" text DEFAULT 'all' NOT NULL,
	"suppressed" boolean NOT NULL,
	"event_at" timestamp (3) with time zone NOT NULL,
	"source" text NOT NULL,
	"reason" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suppressions_sender_address_recipient_category_pk" PRIMARY KEY("sender_address","recipient","category")
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"state" text DEFAULT 'queued' NOT NULL,
	"input" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"progress" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"result" jsonb,
	"error" text,
	"requested_by" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "state_known" CHECK (state IN ('queued', 'running', 'done', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "whatsapp_messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"origin" text DEFAULT 'api' NOT NULL,
	"producer" text,
	"request_hash" "bytea",
	"retry_of" uuid,
	"sender" text,
	"sender_address" text,
	"recipient" text,
	"body" text,
	"content_sid" text,
	"content_variables" text,
	"media_url" text,
	"content_key_id" text,
	"content_sha256" "bytea",
	"priority" text NOT NULL,
	"category" text,
	"campaign" text,
	"metadata" jsonb,
	"on_unknown" text DEFAULT 'hold' NOT NULL,
	"send_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"status" text NOT NULL,
	"rank" smallint NOT NULL,
	"open_status" text GENERATED ALWAYS AS (CASE WHEN rank = 0 THEN status END) STORED,
	"error_code" integer,
	"contradicted" boolean DEFAULT false NOT NULL,
	"duplicate" boolean DEFAULT false NOT NULL,
	"due_at" timestamp (3) with time zone,
	"message_sid" text,
	"sid_source" text,
	"attempts" integer DEFAULT 0 NOT NULL,
	"claim_token" uuid,
	"claimed_at" timestamp (3) with time zone,
	"outcome" text,
	"ended_at" timestamp (3) with time zone,
	"http_status" smallint,
	"request_id" text,
	"throttles" smallint DEFAULT 0 NOT NULL,
	"refusals" smallint DEFAULT 0 NOT NULL,
	"accepted_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"queued_at" timestamp (3) with time zone,
	"sent_at" timestamp (3) with time zone,
	"delivered_at" timestamp (3) with time zone,
	"read_at" timestamp (3) with time zone,
	"failed_at" timestamp (3) with time zone,
	CONSTRAINT "no_sid_while_claimable" CHECK (message_sid IS NULL OR status IN ('accepted', 'scheduled', 'retrying') IS FALSE),
	CONSTRAINT "no_sending_without_token" CHECK (status <> 'sending' OR (claim_token IS NOT NULL AND claimed_at IS NOT NULL AND attempts > 0)),
	CONSTRAINT "waiting_has_a_due_time" CHECK (due_at IS NOT NULL OR status IN ('accepted', 'scheduled', 'retrying') IS FALSE),
	CONSTRAINT "rank_agrees_with_status" CHECK (rank = CASE status WHEN 'accepted' THEN 0 WHEN 'scheduled' THEN 0 WHEN 'retrying' THEN 0 WHEN 'sending' THEN 0 WHEN 'unknown' THEN 0 WHEN 'held' THEN 0 WHEN 'queued' THEN 20 WHEN 'sent' THEN 40 WHEN 'canceled' THEN 50 WHEN 'expired' THEN 50 WHEN 'suppressed' THEN 50 WHEN 'failed' THEN 50 WHEN 'undelivered' THEN 50 WHEN 'delivered' THEN 60 WHEN 'read' THEN 70 ELSE -1 END),
	CONSTRAINT "origin_known" CHECK (origin IN ('api', 'retry', 'external', 'recovered')),
	CONSTRAINT "priority_known" CHECK (priority IN ('transactional', 'bulk')),
	CONSTRAINT "on_unknown_known" CHECK (on_unknown IN ('hold', 'resend')),
	CONSTRAINT "sid_source_known" CHECK ((message_sid IS NULL) = (sid_source IS NULL) AND sid_source IN ('record', 'callback', 'adopted') IS NOT FALSE),
	CONSTRAINT "outcome_known" CHECK (outcome IN ('accepted', 'throttled', 'rejected', 'unknown', 'released'))
);
--> statement-breakpoint
CREATE INDEX "audit_log_at" ON "audit_log" USING btree ("at");--> statement-breakpoint
CREATE INDEX "audit_log_message" ON "audit_log" USING btree ("message_id") WHERE message_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "inbound_messages_from" ON "inbound_messages" USING btree ("from_address","received_at");--> statement-breakpoint
CREATE INDEX "inbound_messages_waiting" ON "inbound_messages" USING btree ("received_at") WHERE handed_over_at IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "message_attempts_sid" ON "message_attempts" USING btree ("message_sid") WHERE message_sid IS NOT NULL;--> statement-breakpoint
CREATE INDEX "message_delivery_metrics_hour" ON "message_delivery_metrics" USING btree ("hour");--> statement-breakpoint
CREATE INDEX "message_tombstones_deleted" ON "message_tombstones" USING btree ("deleted_at");--> statement-breakpoint
CREATE INDEX "suppressions_recipient" ON "suppressions" USING btree ("recipient");--> statement-breakpoint
CREATE INDEX "tasks_created" ON "tasks" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "whatsapp_messages_sid" ON "whatsapp_messages" USING btree ("message_sid") WHERE message_sid IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "whatsapp_messages_retry_of" ON "whatsapp_messages" USING btree ("retry_of") WHERE retry_of IS NOT NULL;--> statement-breakpoint
CREATE INDEX "whatsapp_messages_waiting" ON "whatsapp_messages" USING btree ("due_at","id") WHERE open_status IN ('accepted', 'scheduled', 'retrying');--> statement-breakpoint
CREATE INDEX "whatsapp_messages_sending" ON "whatsapp_messages" USING btree ("claimed_at") WHERE open_status IN ('sending');--> statement-breakpoint
CREATE INDEX "whatsapp_messages_unknown" ON "whatsapp_messages" USING btree ("claimed_at","id") WHERE open_status IN ('unknown');--> statement-breakpoint
CREATE INDEX "whatsapp_messages_held" ON "whatsapp_messages" USING btree ("id") WHERE open_status IN ('held');--> statement-breakpoint
CREATE INDEX "whatsapp_messages_recipient" ON "whatsapp_messages" USING btree ("recipient","created_at");--> statement-breakpoint
CREATE INDEX "whatsapp_messages_created" ON "whatsapp_messages" USING btree ("created_at","id");