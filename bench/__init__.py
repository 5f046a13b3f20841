"""Measurements of the node, each beside its limit or beside a peer of the same run: `python -m bench --help`."""
