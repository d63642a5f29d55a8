"""Pure functions from samples, features or log-likelihoods to numbers."""
