"""Health: was the experiment run as it was planned? Read before any effect."""
