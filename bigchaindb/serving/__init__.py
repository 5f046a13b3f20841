"""What both servers of the node stand on: sockets, connections, their bounds, and reads of the log beside the loop.

Nothing here knows a route.
"""
