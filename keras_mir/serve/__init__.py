"""A local server that speaks TF Serving's REST and gRPC, and its page."""
