"""The same in TensorFlow graphs: reading, beats, medians."""
