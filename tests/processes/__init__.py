"""Whole nodes as processes: what happens to them when others are away or they are killed."""
