"""Adaptive: inference on traffic that a bandit has split, values of other policies, and indices."""
