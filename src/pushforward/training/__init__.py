"""The loop: steps, precision, processes, checkpoints. It knows only the core."""
