"""What a damaged result makes zarr, its codecs and plain Python say, in words of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diffuscope.errors import DiffuscopeError, InputError

# What lies at a name is of another kind than what was made there. Other errors of the system are the disk's.
_ANOTHER_KIND = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)


@contextmanager
def damage_in_words(name: str, *, resumes: bool) -> Iterator[None]:
    """Tell of a result that is gone on with that it cannot be, where its folder is not as a run left it.

    Parameters
    ----------
    name : str
        Of the result.
    resumes : bool
        Whether it is gone on with; in what was just made, an error is ours.

    Raises
    ------
    InputError
        Instead of whatever it was.
    """
    try:
        yield
    except (DiffuscopeError, MemoryError):
        raise
    except Exception as error:
        if not resumes or (isinstance(error, OSError) and not isinstance(error, _ANOTHER_KIND)):
            raise
        raise InputError(f"{name} is damaged ({told(error)}) and cannot be gone on with: run it again.") from error


def told(error: Exception) -> str:
    """Return an error's own words as a part of a sentence, or its kind where it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__
