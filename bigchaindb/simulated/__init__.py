"""Ledgers without a node, and plugins run on them: used by `bigchaindb.testing` and `events simulate`."""
