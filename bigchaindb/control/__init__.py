"""The control socket: how the command line speaks with the node that runs over its data directory."""
