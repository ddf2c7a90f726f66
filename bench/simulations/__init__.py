"""How often does each statistical method err, in worlds where the truth is known? Seeded and vectorised."""
