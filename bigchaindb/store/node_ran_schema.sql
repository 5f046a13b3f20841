-- Lanes whose plugin was ready at least once: it is imported and configured here, or was.
CREATE TABLE ran (
    lane TEXT PRIMARY KEY REFERENCES lanes (name) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO ran SELECT name FROM lanes;
