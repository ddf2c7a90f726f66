"""How requests are routed, recorded and reported."""
