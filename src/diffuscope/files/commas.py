"""Commas of a table's numbers: decimal wherever one of its numbers can be read in no other way.

``340,509`` alone may be either; beside ``281,25``, or ``1.234,5``, in a table whose values no comma divides it is not.
Nor is ``1.234`` there what it is elsewhere, unless another number, as ``0.5``, shows that points are decimal, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# 1,234 is a thousand to some and a little more than one to others.
_EITHER = re.compile(r"[+−-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_DECIMAL = re.compile(r"[+−-]?(\d+|[1-9]\d{0,2}([. \u00a0\u2009\u202f'’]\d{3})+),\d+", re.ASCII)
# A point before decimals, or thousands set apart by commas.
_OTHERWISE = re.compile(r"[+−-]?(\d*\.\d+|[1-9]\d{0,2}(,\d{3})+\.\d*|[1-9]\d{0,2}(,\d{3}){2,})", re.ASCII)
# A point that sets thousands apart where commas are decimal.
_THOUSANDS = re.compile(r"[+−-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)


def decimal_commas(rows: Sequence[tuple[int, list[str]]]) -> tuple[bool, str]:
    """Return whether the commas of a table are decimal, and the first number that is read by that.

    Parameters
    ----------
    rows : sequence of (int, list of str)
        Numbers of their lines, and cells that no comma divided.

    Returns
    -------
    are_decimal : bool
        False where no number decides, or others have points.
    first : str
        As it was written; empty where none was in doubt.
    """
    cells = [cell.strip() for _, row in rows for cell in row]
    either = [cell for cell in cells if _EITHER.fullmatch(cell)]
    decides = any(_DECIMAL.fullmatch(cell) and not _EITHER.fullmatch(cell) for cell in cells)
    if not decides or any(_OTHERWISE.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in cells):
        return False, ""
    return True, either[0] if either else ""
