"""The published report's experiments, run on any data set of the same shape, as one page."""
