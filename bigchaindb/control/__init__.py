"""Control: HTTP over a socket in the data directory, by which the command line reaches the node that runs over it.

Only its owner may enter the directory, and may do anything anyway. So errors are sent in full, without the secrets of
the configuration.
"""
