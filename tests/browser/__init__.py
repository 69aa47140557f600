"""Journeys through real nodes in a real browser."""
