"""Errors that a user is meant to read: one sentence that names the file and the way out."""

from __future__ import annotations


class DiffuscopeError(Exception):
    """Base of every error that is told to the user as one sentence, without a traceback."""


class InputError(DiffuscopeError):
    """What the user gave cannot be used: a file, a number, a model, a device, a place to write."""
