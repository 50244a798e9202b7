"""From a data set and a recipe to splits and what batches are made from."""
