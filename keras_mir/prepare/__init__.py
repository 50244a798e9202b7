"""Audio and its labels to a data set of features."""
