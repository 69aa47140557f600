"""`hub demo`: four joined nodes with content on one machine."""
