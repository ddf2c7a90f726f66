"""Reporting: from an experiment's evidence to what an analyst reads, step by step."""
