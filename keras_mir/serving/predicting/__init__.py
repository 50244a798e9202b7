"""Answers for songs, from a model here or on a server."""
