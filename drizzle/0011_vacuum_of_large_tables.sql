-- The walks of lists read the time of 10,000 rows from the index alone, as long as the pages of those rows are known to be visible to all: only
-- a vacuum says so, and where rows are only added none came before a fifth of the table was new.
ALTER TABLE "whatsapp_messages" SET (autovacuum_vacuum_insert_scale_factor = 0.02);
--> statement-breakpoint
-- The cleanup deletes here what it deletes there: room for new rows must not wait until a fifth of the larger table is dead.
ALTER TABLE "message_status_logs" SET (autovacuum_vacuum_scale_factor = 0.05);
