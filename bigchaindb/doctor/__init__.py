"""What `bigchaindb doctor` looks at: the machine, the files, the ports, the plugins."""
