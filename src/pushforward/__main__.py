"""`python -m pushforward` is the `pushforward` command."""

from pushforward.cli import main

if __name__ == "__main__":
    main()
