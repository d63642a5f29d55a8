"""Pure functions that name a disease, how sure they are, and the cure."""
