"""Transactions: from bytes to checked values (pure)."""
