"""What a row is measured against, in the fastest form that its own users would run."""
