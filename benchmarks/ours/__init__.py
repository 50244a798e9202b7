"""Our side of every row."""
