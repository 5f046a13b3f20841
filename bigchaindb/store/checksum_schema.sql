-- ledger.db, what shows that a row is still what was written. See checksums.py.
--
-- Checksums of the two large tables stand in pages of their own: rows of an older version get theirs without being
-- written again, and a page that is lost or old is noticed as well.

CREATE TABLE transaction_checksums (
    seq INTEGER PRIMARY KEY,
    row_checksum INTEGER NOT NULL,
    body_checksum INTEGER NOT NULL
);
CREATE TABLE event_checksums (
    position INTEGER PRIMARY KEY,
    row_checksum INTEGER NOT NULL,
    record_checksum INTEGER NOT NULL, -- of what subscribers get, the body with its transactions included
    vote_checksum INTEGER NOT NULL,
    proof_checksum INTEGER NOT NULL  -- 0: there is none
);
ALTER TABLE outputs ADD COLUMN checksum INTEGER;
ALTER TABLE outputs ADD COLUMN spent_checksum INTEGER;

-- What older versions wrote and has no checksums yet: behind done, up to last.
CREATE TABLE unchecked (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    done_seq INTEGER NOT NULL,
    done_position INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    checksum INTEGER
);
INSERT INTO unchecked SELECT 1, 0, 0, transaction_count, position, NULL FROM tip;

ALTER TABLE tip ADD COLUMN checksum INTEGER;
ALTER TABLE indexing ADD COLUMN checksum INTEGER;
ALTER TABLE local ADD COLUMN checksum INTEGER;
ALTER TABLE network ADD COLUMN checksum INTEGER;
