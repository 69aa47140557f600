"""A published case as a file that people take along."""
