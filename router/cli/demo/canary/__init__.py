"""A candidate that fails is rolled back, and one that does not is rolled out."""
