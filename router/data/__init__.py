"""The data plane: a worker that routes, forwards, relays and records, without numpy and without waiting."""
