"""Layers of the networks: recurrent, pooling, masks."""
