"""Files between nodes: granted by a release, fetched when first read, pushed by who publishes."""
