"""Data sets: one loader a file, all giving the same table of examples."""
