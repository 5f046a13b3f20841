-- ledger.db: what is equal on all nodes, written by commits alone, and one local table.
--
-- Rows are only ever added; the one column of theirs that changes is outputs.spent_by.
-- An output's number is seq << 20 | index: a body of 1 MiB, the default limit, holds far fewer outputs than 2^20.

CREATE TABLE tip (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    height INTEGER NOT NULL,
    block_id BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    app_hash BLOB NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    block_count INTEGER NOT NULL,
    transaction_count INTEGER NOT NULL, -- the last seq
    output_count INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL          -- of all event bodies
);
INSERT INTO tip VALUES (1, 0, zeroblob(32), 0, zeroblob(32), 0, zeroblob(32), 0, 0, 0, 0);

CREATE TABLE transactions (
    seq INTEGER PRIMARY KEY,   -- order of commits, from 1, without gap
    id BLOB NOT NULL,
    asset BLOB,                -- id of the CREATE; NULL: the transaction is one
    position INTEGER NOT NULL, -- of the event of its block
    body BLOB NOT NULL         -- last: what stands before it is read without it
);

CREATE TABLE outputs (
    output INTEGER PRIMARY KEY,
    amount INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    owners BLOB NOT NULL,      -- SHA-256 of each owner's key, joined
    spent_by INTEGER           -- seq
);

-- An event's body is head, its transactions joined by commas, tail. Of a rejected proposal head is all of it.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    type INTEGER NOT NULL,
    height INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL, -- of all event bodies up to and with this one
    first_seq INTEGER NOT NULL,
    transaction_count INTEGER NOT NULL,
    digest BLOB NOT NULL,
    block_id BLOB NOT NULL,
    reason TEXT,                -- NULL: a valid block
    tail BLOB NOT NULL,
    head BLOB NOT NULL
);
CREATE UNIQUE INDEX valid_height ON events (height) WHERE reason IS NULL;
-- P7, whatever program opens this file. The transactions of an event are in the other table.
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN
    SELECT raise(ABORT, 'the log lives as long as the ledger');
END;
CREATE TRIGGER transactions_stay BEFORE DELETE ON transactions BEGIN
    SELECT raise(ABORT, 'the log lives as long as the ledger');
END;

CREATE TABLE votes (
    position INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- Indexes over hashes: key is the first 8 bytes as a signed integer; a hit is confirmed against the row it leads to.
-- They cover the chain up to done, and of what lies between done and sealed the first move_count moves; the rest is in
-- the node's memory and can be read again from the tables above. See recent.py.
CREATE TABLE transaction_index (key INTEGER, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID;
CREATE TABLE asset_index (key INTEGER, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID; -- TRANSFERs only
CREATE TABLE owner_index (key INTEGER, output INTEGER, PRIMARY KEY (key, output)) WITHOUT ROWID;
CREATE TABLE block_index (key INTEGER, position INTEGER, PRIMARY KEY (key, position)) WITHOUT ROWID;
CREATE TABLE indexing (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    done_seq INTEGER NOT NULL,
    done_position INTEGER NOT NULL,
    sealed_seq INTEGER NOT NULL,
    sealed_position INTEGER NOT NULL,
    move_count INTEGER NOT NULL
);
INSERT INTO indexing VALUES (1, 0, 0, 0, 0, 0);

-- Search: rowid is seq; the text itself stands in the transaction's body. Segments are merged by tidy alone.
CREATE VIRTUAL TABLE assets_search USING fts5 (
    text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE metadata_search USING fts5 (
    text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO assets_search (assets_search, rank) VALUES ('automerge', 0);
INSERT INTO metadata_search (metadata_search, rank) VALUES ('automerge', 0);
INSERT INTO assets_search (assets_search, rank) VALUES ('usermerge', 8);
INSERT INTO metadata_search (metadata_search, rank) VALUES ('usermerge', 8);
INSERT INTO assets_search (assets_search, rank) VALUES ('crisismerge', 64);
INSERT INTO metadata_search (metadata_search, rank) VALUES ('crisismerge', 64);

-- What this node knows for itself: outside app hash and log digest.
CREATE TABLE local (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    node_id TEXT,              -- of the node.db that belongs here; NULL: none yet
    run INTEGER NOT NULL       -- counts starts: the start barrier
);
INSERT INTO local VALUES (1, NULL, 0);
