"""Pure functions of tensors: bounds, divergences, losses."""
