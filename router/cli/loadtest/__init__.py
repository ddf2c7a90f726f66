"""How much can a backend take before it takes traffic: requests at a rate that rises until a limit."""
