"""A stand-in system and runs of it."""

from toy_tiles import ports  # noqa: F401  fixtures
