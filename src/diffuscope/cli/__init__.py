"""The command line: the verbs of `diffuscope.api` from a shell.

Exit status: 0 done; 2 bad input, told in one sentence; 130 cancelled with Ctrl-C, what is done is kept.
"""

from __future__ import annotations

from diffuscope.cli.commands import app

__all__ = ["app"]
