"""What others publish without this software, harvested into this node: OAI-PMH, Atom, RSS."""
