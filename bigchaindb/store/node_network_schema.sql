-- node.db, what networks add: what this node alone has promised or seen.

-- Transactions that clients were told are accepted, until a block shows them or a rule turns them away.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,   -- parents precede children
    id BLOB NOT NULL,
    body BLOB NOT NULL
);

-- Proposals that this node's application rejected; written before the vote, so that no restart changes a verdict.
CREATE TABLE rejections (
    height INTEGER NOT NULL,
    block BLOB NOT NULL,       -- hash, 32 bytes
    record BLOB NOT NULL,      -- canonical JSON of the rejection
    body BLOB,                 -- JSON array of its transactions in base64; NULL: too large to be carried
    PRIMARY KEY (height, block)
) WITHOUT ROWID;
