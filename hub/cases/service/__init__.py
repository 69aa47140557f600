"""All that one can do with cases and pilot lessons."""
