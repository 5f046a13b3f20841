"""The consensus engine of a network: CometBFT, a process beside the node, and what the two say to each other.

Source: docs/explanation/network.md.
"""
