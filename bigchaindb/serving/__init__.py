"""The basis of all servers of the node: sockets, connections and their bounds.

Nothing here knows a route.
"""
