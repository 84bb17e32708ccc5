"""Which outline is the tumour and which a lymph node, guessed from the names that people give to outlines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Of a name without marks. Volumes with a margin around a tumour are no outlines of it.
_MARGINS = re.compile(r"ctv|ptv|itv")
_TUMOUR = re.compile(r"gtv ?(t|p)(?![a-z]| n\b)|gtv ?(prim|tum)|\bprimary|\b(primär)?tum(ou?|eu)rs?(?![a-z])")
_NODE = re.compile(
    r"gtv ?(ln|lk|nd|n)(?![a-z])|gtv ?nod|\bnod(e|es|al)(?![a-z])|\blymph|\b(ln|lk|n) ?(?=\d)|\b(ln|lk)\b"
)
# What a planner calls gross disease where there is one outline of it: the tumour if nothing else is.
_GROSS = re.compile(r"gtv ?\d*")


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What names say of roles.

    Attributes
    ----------
    roles : dict of str to str
        The role of a name.
    left : tuple of str
        Names of smaller ones, for which no role is left.
    unclear : tuple of str
        Names that all claim one role.
    """

    roles: dict[str, str]
    left: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def find_role(text: str, roles: Sequence[str]) -> str | None:
    """Return the role that a text names, whatever its case, blanks and marks; None where it names none."""
    return next((role for role in roles if _plain(role).replace(" ", "") == _plain(text).replace(" ", "")), None)


def may_be(name: str, roles: Sequence[str]) -> bool:
    """Whether a name may be that of a role."""
    return find_role(name, roles) is not None or _kind(name) is not None


def guess_roles(names: Sequence[str], roles: Sequence[str], size: Callable[[str], int]) -> Guess:
    """Guess the roles of outlines from their names.

    A name that is a role's has it. Of others the words tell that it is a tumour (GTV-T, GTVp, primary, tumour) or a
    node (GTV-N, LN, lymph node). Nodes take the free roles of nodes in the order of their numbers, else by size, the
    largest first; of more nodes than roles the largest are taken.

    Parameters
    ----------
    names : sequence of str
        Of outlines.
    roles : sequence of str
        To give: ``("tumour", "node 1", "node 2", "node 3")``; what is numbered is one kind.
    size : callable
        Of an outline by its name, e.g. its voxels.
    """
    found: dict[str, str] = {}
    for name in names:
        role = find_role(name, roles)
        if role is not None and role not in found.values():
            found[name] = role
    left: list[str] = []
    kinds = {name: _kind(name) for name in names if name not in found}
    for kind in ("tumour", "node"):
        free = [role for role in roles if _plain(role).split(" ")[0] == kind and role not in found.values()]
        claims = [name for name, one in kinds.items() if one == kind]
        if kind == "tumour" and free and not claims:
            claims = [name for name, one in kinds.items() if one == "gross"]
        if len(free) == 1 and len(claims) > 1 and kind == "tumour":
            return Guess(roles=found, unclear=tuple(claims))
        if not free:
            continue
        largest = sorted(claims, key=lambda name: -size(name))
        left += largest[len(free) :]
        found |= dict(zip(_in_order(largest[: len(free)]), free, strict=False))
    return Guess(roles={name: found[name] for name in names if name in found}, left=tuple(left))


def _in_order(largest_first: list[str]) -> list[str]:
    """Return nodes by their numbers where each has its own, else as they come."""
    numbers: Mapping[str, int | None] = {name: _number(name) for name in largest_first}
    known = [number for number in numbers.values() if number is not None]
    if len(set(known)) < len(largest_first):
        return largest_first
    return sorted(largest_first, key=lambda name: numbers[name] or 0)


def _number(name: str) -> int | None:
    plain = _plain(name)
    match = _NODE.search(plain)
    digits = re.search(r"\d+", plain[match.end() :]) if match else None
    return int(digits.group()) if digits else None


def _kind(name: str) -> str | None:
    plain = _plain(name)
    if _MARGINS.search(plain):
        return None
    tumour, node = _TUMOUR.search(plain), _NODE.search(plain)
    if tumour and node:
        return None
    if tumour or node:
        return "tumour" if tumour else "node"
    return "gross" if _GROSS.fullmatch(plain) else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
