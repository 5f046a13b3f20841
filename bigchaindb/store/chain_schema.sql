-- Which chain the ledger is of; NULL: its node has not started since this column is there.
ALTER TABLE local ADD COLUMN chain_id TEXT;
