-- node.db: what this node knows for itself. Written by the node alone, read by the command line as well.

CREATE TABLE node (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL           -- ledger.db records it, so that a lost node.db is noticed
);

CREATE TABLE lanes (
    name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    start_position INTEGER NOT NULL,
    acked INTEGER NOT NULL,
    acked_digest BLOB NOT NULL, -- of the log at acked
    state TEXT NOT NULL,
    state_since REAL NOT NULL,
    last_error TEXT,
    updated_at REAL NOT NULL
) WITHOUT ROWID;

-- Events of a lane that failed: still in its hands, or set aside for a person.
CREATE TABLE troubles (
    lane TEXT NOT NULL REFERENCES lanes (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,      -- deliveries so far
    failures INTEGER NOT NULL,      -- those that were its own fault
    since REAL NOT NULL,            -- of the first of these
    error TEXT NOT NULL,
    parked_at REAL,                 -- NULL: in hand
    returns_in INTEGER,             -- parked and asked for again: the first epoch whose page holds it
    PRIMARY KEY (lane, position)
) WITHOUT ROWID;
CREATE INDEX parked ON troubles (lane, position) WHERE parked_at IS NOT NULL;
