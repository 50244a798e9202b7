"""The version of the package, of which pipelines are a part, readable without importing anything else."""

__version__ = "0.1.0"
