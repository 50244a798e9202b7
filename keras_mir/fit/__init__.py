"""Training by a recipe, from data to a report and an exported model."""
