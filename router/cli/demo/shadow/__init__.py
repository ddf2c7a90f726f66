"""A candidate gets copies of the traffic, and is compared without answering anybody."""
