"""What was published, signed and in order."""
