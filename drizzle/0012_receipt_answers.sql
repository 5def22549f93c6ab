ALTER TABLE "receipt_polls" ADD COLUMN "asked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "receipt_polls" ADD COLUMN "answer" text;--> statement-breakpoint
ALTER TABLE "receipt_polls" ADD COLUMN "over" boolean DEFAULT false NOT NULL;