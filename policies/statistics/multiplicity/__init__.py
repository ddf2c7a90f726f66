"""Multiplicity: many p-values and intervals judged together."""
