"""What everybody else's software reads of this node's public cases: Atom and OAI-PMH."""
