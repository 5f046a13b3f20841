-- node.db, what shows that a row is still what was written. See node_rows.py, which fills the columns in this step.
ALTER TABLE node ADD COLUMN checksum INTEGER;
ALTER TABLE lanes ADD COLUMN checksum INTEGER;
ALTER TABLE ran ADD COLUMN checksum INTEGER;
ALTER TABLE troubles ADD COLUMN checksum INTEGER;
ALTER TABLE outbox ADD COLUMN checksum INTEGER;
ALTER TABLE rejections ADD COLUMN checksum INTEGER;
