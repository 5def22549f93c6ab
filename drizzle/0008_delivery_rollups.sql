CREATE TABLE "changed_recipients" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "changed_recipients_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"recipients" text[] NOT NULL
);
--> statement-breakpoint
CREATE TABLE "delivery_metric_changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "delivery_metric_changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"hour" timestamp (3) with time zone NOT NULL,
	"sender" text NOT NULL,
	"changes" jsonb NOT NULL
);
--> statement-breakpoint
DROP INDEX "message_delivery_metrics_hour";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP CONSTRAINT "message_delivery_metrics_sender_hour_pk";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" ADD CONSTRAINT "message_delivery_metrics_hour_sender_pk" PRIMARY KEY("hour","sender");--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" ADD COLUMN "measures" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" ADD COLUMN "folded_at" timestamp (3) with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" ADD COLUMN "measures" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" ADD COLUMN "last_error_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" ADD COLUMN "last_delivered_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "accepted";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "sent";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "delivered";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "read";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "failed";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "undelivered";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "canceled";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "expired";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "suppressed";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "unknown";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "errors";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "to_sent";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "to_delivered";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "to_read";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "dirty";--> statement-breakpoint
ALTER TABLE "message_delivery_metrics" DROP COLUMN "computed_at";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "accepted";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "sent";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "delivered";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "read";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "failed";--> statement-breakpoint
ALTER TABLE "phone_delivery_performance" DROP COLUMN "undelivered";