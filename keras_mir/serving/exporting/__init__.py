"""Writing a trained model as a SavedModel that takes features and sound, and checking it."""
