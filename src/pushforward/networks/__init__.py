"""Plain modules, one family of architectures a file."""
