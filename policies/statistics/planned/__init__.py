"""Planned looks: tests that share one error rate over a few looks fixed by their information."""
