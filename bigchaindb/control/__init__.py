"""The control socket, over which the command line reaches the node that runs over a data directory."""
