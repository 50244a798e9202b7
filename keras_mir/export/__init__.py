"""A trained model as a SavedModel, checked, or in another format."""
