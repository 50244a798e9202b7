"""Audio to features, in the graph."""
