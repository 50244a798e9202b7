"""Scores of a model on labelled clips, as a report, tables and figures."""
