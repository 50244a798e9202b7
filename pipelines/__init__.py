"""From files to batches: data sets, features, beat tracking, and input pipelines in the TensorFlow graph."""
