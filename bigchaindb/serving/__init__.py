"""The basis of all servers of the node: sockets, connections, their bounds, and reads of the log beside the loop.

Nothing here knows a route.
"""
