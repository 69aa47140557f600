"""Who decided what, in a chain that shows tampering."""
