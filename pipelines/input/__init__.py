"""From examples to batches: steps, augmentation, cache."""
