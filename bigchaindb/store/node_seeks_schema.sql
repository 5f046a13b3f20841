-- node.db, how often a person has sent each lane to another place; a lane without a row was never sent.
CREATE TABLE seeks (
    lane TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID;
