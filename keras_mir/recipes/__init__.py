"""Recipes: everything that decides what is trained."""
