"""Sinks: plugins that pass events on to other systems. They are enabled by name, and look like anybody's plugin.

Each imports `bigchaindb.events` and `bigchaindb.delivery` and nothing else of this package, so whatever they can do,
a plugin can do. None has a loop of retries: `Unavailable` leaves that to the node, which shows it.
"""
