"""``python -m diffuscope``: the command line."""

from diffuscope.cli import app

if __name__ == "__main__":
    app()
