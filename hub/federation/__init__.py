"""Peers, and what passes between them and us."""
