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
    attempts INTEGER NOT NULL,
    last_error TEXT,
    updated_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE parked (
    lane TEXT NOT NULL REFERENCES lanes (name) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    parked_at REAL NOT NULL,
    PRIMARY KEY (lane, position)
) WITHOUT ROWID;
