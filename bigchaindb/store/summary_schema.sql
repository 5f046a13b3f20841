-- ledger.db, what summaries and lists of invalid blocks are read by.
--
-- The envelope of an event is its body without the transactions: whoever reads that alone compares it with a checksum
-- of its own. NULL: of an older version, so that the whole body is compared.
ALTER TABLE event_checksums ADD COLUMN envelope_checksum INTEGER;
CREATE INDEX invalid_position ON events (position) WHERE reason IS NOT NULL;
