"""The formats that hold one signature of a model in one file."""
