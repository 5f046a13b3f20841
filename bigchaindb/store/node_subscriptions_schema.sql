-- node.db, the subscriptions of this node. Their lanes are rows of `lanes`. Times are Unix seconds.
CREATE TABLE subscriptions (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL, -- JSON, every member; see bigchaindb/eventlog/subscription.py
    created REAL NOT NULL,
    start INTEGER NOT NULL,   -- the number behind which it began; see bigchaindb/eventlog/numbering.py
    checksum INTEGER NOT NULL
) WITHOUT ROWID;
