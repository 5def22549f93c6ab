CREATE TABLE "outcome_searches" (
	"message_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"looks" smallint DEFAULT 0 NOT NULL,
	"absences" smallint DEFAULT 0 NOT NULL,
	"candidates" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"looked_at" timestamp (3) with time zone,
	CONSTRAINT "outcome_searches_message_id_attempt_pk" PRIMARY KEY("message_id","attempt")
);
--> statement-breakpoint
CREATE TABLE "send_stops" (
	"scope" text NOT NULL,
	"target" text NOT NULL,
	"source" text NOT NULL,
	"error_code" integer,
	"reason" text,
	"actor" text NOT NULL,
	"level" smallint DEFAULT 0 NOT NULL,
	"opened_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"until" timestamp (3) with time zone,
	"probed_at" timestamp (3) with time zone,
	CONSTRAINT "send_stops_scope_target_source_pk" PRIMARY KEY("scope","target","source"),
	CONSTRAINT "scope_known" CHECK (scope IN ('all', 'account', 'sender', 'campaign', 'template')),
	CONSTRAINT "source_known" CHECK (source IN ('operator', 'breaker'))
);
--> statement-breakpoint
CREATE TABLE "system_state" (
	"key" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "whatsapp_messages" ADD COLUMN "resends" smallint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "whatsapp_messages_pair" ON "whatsapp_messages" USING btree ("recipient","claimed_at") WHERE claimed_at IS NOT NULL;