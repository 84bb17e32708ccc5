"""Whatever a command ends with is one sentence; what libraries say to themselves does not reach the terminal."""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
import typer

from diffuscope.cli.exits import BAD_INPUT, CANCELLED
from diffuscope.errors import DiffuscopeError
from diffuscope.files.put import put_text
from diffuscope.unforeseen import unforeseen

_STDERR = 2


@contextmanager
def sentences(doing: Callable[[], str]) -> Iterator[None]:
    """Tell any error as one sentence, and leave with its status; what was not foreseen is reported in a file as well.

    Parameters
    ----------
    doing : callable
        Returns the command, which is known by the time that it fails.

    Raises
    ------
    typer.Exit
        2 for an error, 130 for Ctrl-C.
    """
    try:
        yield
    except DiffuscopeError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        typer.echo("Cancelled.", err=True)
        raise typer.Exit(CANCELLED) from None
    except Exception as error:
        # The command line's own, for a wrong option or an early end; and whoever read our output has gone.
        if hasattr(error, "exit_code") or isinstance(error, typer.Abort) or _is_pipe(error):
            raise
        typer.echo(f"Error: {_sentence(error, doing())}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def _sentence(error: Exception, doing: str) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory for this: choose a smaller region, or a machine with more."
    found = unforeseen(error, doing)
    path = report_path()
    try:
        put_text(path, found.report, replace=True)
    except DiffuscopeError:
        return f"{found.sentence}; please report:\n\n{found.report}"
    return f"{found.sentence}; please send {path}, which holds no name, path or data of yours."


def report_path() -> Path:
    """Return where the report on the last error that nobody foresaw lies."""
    return platformdirs.user_log_path("diffuscope") / "report.txt"


def _is_pipe(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep warnings and log lines of libraries, and what their C code prints, off the terminal.

    What matters of them is told in words of ours, as notices or refusals. ``python -W …`` brings the warnings back.
    """
    quiet = logging.NullHandler()
    logging.getLogger().addHandler(quiet)
    try:
        with warnings.catch_warnings(), _no_second_voice():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeHandler(quiet)


@contextmanager
def _no_second_voice() -> Iterator[None]:
    """Let Python alone write to standard error, where that is the process's own."""
    own = -1
    with suppress(AttributeError, OSError, ValueError):  # no stream, or one that is no file: a test's, a notebook's
        own = sys.stderr.fileno()
    if own != _STDERR:
        yield
        return
    before = sys.stderr
    before.flush()
    kept = os.dup(_STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding=before.encoding, errors=before.errors, closefd=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(kept, _STDERR)
        os.close(kept)
