-- node.db, the access keys of this node. See bigchaindb/access/book.py. Times are Unix seconds.
CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL, -- SHA-256 of the secret and its checksum
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    used_day INTEGER, -- days since 1970
    exposed INTEGER, -- when it last came in clear from another machine
    held INTEGER NOT NULL, -- 1: not taken since a restore, until a person confirms it
    checksum INTEGER NOT NULL
) WITHOUT ROWID;
