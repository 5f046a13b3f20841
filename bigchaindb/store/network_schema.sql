-- ledger.db, what networks add; equal on all nodes, written by commits alone.

CREATE TABLE network (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state BLOB                 -- encoded by the ledger, bounded; NULL: no network
);
INSERT INTO network VALUES (1, NULL);

-- What proves an event to others, where that is not kept by the engine: the signed rejections of an invalid block.
CREATE TABLE proofs (
    position INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
