"""Three models, and traffic that goes to the one that turns out to be the best."""
