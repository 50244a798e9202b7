"""SavedModels: how they are written, checked, found and run."""
