"""SQLite: the ledger and its event log on disk, by the rules of one writer and many readers."""
