"""Whoever follows the event log: the WebSocket stream and the plugins, each at its own speed."""
