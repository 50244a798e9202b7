"""Keras functional models: bidirectional LSTM, 2-D CNNs, their heads, and transfer.

Every model takes `{"features": (batch, time, bands) float32, "lengths": (batch,) int32}`
and answers `{"genre": (batch, n_classes)}` or `{<target>: (batch, 1), ...}`, float32. The
layer named `embedding` gives the last representation before the head.
"""
