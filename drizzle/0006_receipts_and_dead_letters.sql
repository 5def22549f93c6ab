CREATE TABLE "receipt_polls" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"due_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "dead_letters" ADD COLUMN "retry_requested_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "receipt_polls_due" ON "receipt_polls" USING btree ("due_at");--> statement-breakpoint
CREATE INDEX "dead_letters_requested" ON "dead_letters" USING btree ("id") WHERE retry_requested_at IS NOT NULL;