"""The text of attached files: read once for each file, and found."""
