"""Policies: what to do with a request, and what the evidence says; pure functions, no I/O."""
