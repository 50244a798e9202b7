"""Paired measurements of this package against what else its users would run; see `benchmarks/__main__.py`."""
