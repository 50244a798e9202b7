"""What a model says of songs."""
