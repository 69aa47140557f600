"""Cases and pilot lessons, from first draft to withdrawal."""
