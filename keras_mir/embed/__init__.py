"""Vectors of songs, by which those that sound alike are found."""
