-- Room on each page for the later versions of its rows, so that statuses stay heap-only updates; drizzle has no word for it.
ALTER TABLE "whatsapp_messages" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
--> statement-breakpoint
-- Rows are only added here: what must happen often is analysing, and freezing before it becomes one long pass.
ALTER TABLE "message_status_logs" SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
