"""The engines that can keep the index."""
