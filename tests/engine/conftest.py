"""A stand-in system and runs of it."""

from toy_tiles import make_toy, ports, run, telling  # noqa: F401  fixtures
