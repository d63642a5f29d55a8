"""Claims and papers' tables as commands: frozen runs, published figures, what must hold. Torch-free."""
