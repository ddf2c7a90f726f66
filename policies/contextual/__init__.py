"""Plans that look at a request's own features: reading them, scoring them, learning, and judging offline."""
