"""Engines: what orders transactions into blocks and has them voted on."""
