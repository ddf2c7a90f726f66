"""Quantiles: sketches that merge, and intervals that hold when a unit sends many requests."""
