-- node.db, transactions that this node accepted and rejected later; see rejected.py. The oldest go first.
CREATE TABLE rejected_transactions (
    seq INTEGER PRIMARY KEY, -- ascends without a gap
    at REAL NOT NULL, -- Unix seconds
    id TEXT NOT NULL,
    asset TEXT NOT NULL,
    error TEXT NOT NULL, -- class of the broken rule
    message TEXT NOT NULL,
    body BLOB NOT NULL,
    begins INTEGER NOT NULL, -- bytes of all rows before it, deleted ones included
    checksum INTEGER NOT NULL
);
CREATE INDEX rejected_ids ON rejected_transactions (id);
