"""The model backends: what they are and what they speak."""
