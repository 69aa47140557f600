"""Who belongs to the federation, whose keys count, and who may call us."""
