"""The policies that ship with the service: one file for each kind, found by its name."""
