"""Scores, reports, tables and figures."""
