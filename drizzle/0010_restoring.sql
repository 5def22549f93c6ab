-- Rows that come back from an archive were counted when they came first, and the rollups outlive them.
CREATE OR REPLACE TRIGGER note_inserted_messages AFTER INSERT ON whatsapp_messages
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
WHEN (current_setting('tickmark.restoring', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION note_inserted_messages();
