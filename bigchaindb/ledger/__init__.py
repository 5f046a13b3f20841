"""The ledger: blocks, votes, state rules and the effects of a decision (pure)."""
