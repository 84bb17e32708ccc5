"""Small real slides and scans, and a simulated one, that ship; README.md beside them names source and licence of each."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError


def sample_path(name: str | None = None) -> Path:
    """Path of a shipped sample file, or of the folder they are in.

    Parameters
    ----------
    name : str, optional
        File name, such as "CMU-1-Small-Region.svs".

    Returns
    -------
    Path

    Raises
    ------
    InputError
        When no such file ships.
    """
    folder = Path(__file__).parent
    if name is None:
        return folder
    path = folder / name
    if not path.is_file():
        names = ", ".join(sorted(file.name for file in folder.iterdir() if file.suffix in (".svs", ".tif", ".jpg", ".gz")))
        raise InputError(f"there is no sample file {name}; there are {names}.")
    return path
