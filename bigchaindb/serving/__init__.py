"""What both servers of the node stand on: sockets, connections and their bounds. Nothing here knows a route."""
