"""What every command shares: exit status, options, progress, a quiet TensorFlow."""
