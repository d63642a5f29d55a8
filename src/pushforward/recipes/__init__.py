"""From a data shape and options to an algorithm with its networks."""
