ALTER TABLE "cancel_requests" DROP CONSTRAINT "cancel_requests_pkey";--> statement-breakpoint
ALTER TABLE "cancel_requests" ADD CONSTRAINT "cancel_requests_message_id_producer_pk" PRIMARY KEY("message_id","producer");
