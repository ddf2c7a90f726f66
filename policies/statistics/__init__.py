"""Judges evidence: differences, intervals that may be looked at at any time, health checks, plans."""
