"""Genre and affect of songs, predicted by a trained model."""
