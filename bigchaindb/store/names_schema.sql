-- ledger.db, which keys a transaction names without giving them an output. See naming.py.
--
-- Of such a key owner_index has a row as well, whose number is 2^62 | seq: behind the numbers of all outputs.
CREATE TABLE named (
    seq INTEGER PRIMARY KEY,
    keys BLOB NOT NULL,         -- the first 8 bytes of each key's SHA-256, joined, ascending
    checksum INTEGER NOT NULL
);

-- What older versions wrote and has no such rows yet: behind done, up to last. Index rows up to last stand in the
-- table, wherever the indexes are.
CREATE TABLE naming (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    done_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    checksum INTEGER
);
INSERT INTO naming SELECT 1, 0, transaction_count, NULL FROM tip;
