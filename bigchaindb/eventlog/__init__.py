"""The event log as values: tokens, cursors, delivery states (pure)."""
