"""Figures for Prometheus: what a node is doing, read at the moment of each scrape. Nothing is counted for it alone."""
