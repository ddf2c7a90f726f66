"""Bayes: posteriors, the chance to be best, and the loss to expect; by quadrature, never by sampling."""
