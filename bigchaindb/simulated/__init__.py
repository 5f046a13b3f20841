"""Ledgers that nobody runs a node for, and plugins run on them: what `bigchaindb.testing` and `events simulate` use."""
