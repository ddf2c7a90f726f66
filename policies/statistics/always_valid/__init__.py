"""Always valid: intervals and tests that hold however often they are looked at."""
