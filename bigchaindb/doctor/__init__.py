"""The examinations of `bigchaindb doctor`: the machine, the files, the ports, the plugins."""
