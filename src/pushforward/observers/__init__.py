"""When to run which metric, diagnosis or picture."""
