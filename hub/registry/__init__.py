"""Enterprises, nodes, their keys, and the peers that we know."""
