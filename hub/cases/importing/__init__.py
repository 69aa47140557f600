"""Texts that people bring along, made into drafts."""
