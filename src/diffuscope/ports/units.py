"""Units of a column: the same one written otherwise, one that can be converted, or another quantity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile(r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)")
# As laboratories count: 10^9/l, 10*9/l (UCUM), 10E9/l, x10^9/l.
_POWER = re.compile(r"[x×]?\s*10\s*(?:\*\*|\*|\^|[eE])\s*(-?\d{1,2})(?!\d)")
_COUNTED = re.compile(r"(G|Gpt|T|Tpt|K|Tsd\.?|M|Mio\.?|cells?|pt|#)\s*/\s*([npfmµu]?[lL]|mm\^?3)")
_MANY = {"G": 9, "Gpt": 9, "T": 12, "Tpt": 12, "K": 3, "Tsd": 3, "M": 6, "Mio": 6}
# Nothing else is given to pint, which would count out whatever a file asks for.
_UNIT = re.compile(
    r"(?:10\^(?P<power>-?\d{1,2}))?\s*(?P<rest>(?:1?\s*/\s*)?(?:[a-zA-Zµ°%]+(?:\^?-?\d)?)(?:\s*[/*·]\s*[a-zA-Zµ°%]+(?:\^?-?\d)?)*|1)?"
)
_EXPONENT = re.compile(r"(?<=[a-zA-Zµ])(-?\d)")
# Two ways of writing one number differ by less.
_SAME = 1e-9
_LONGEST = 40


@dataclass(frozen=True)
class Conversion:
    """From one unit to another: value · factor + offset.

    Attributes
    ----------
    factor, offset : float
        1 and 0 where both units are one.
    """

    factor: float = 1.0
    offset: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether numbers become other ones."""
        return self != Conversion()

    def __call__(self, value: float) -> float:
        """Return a value in the other unit."""
        return value * self.factor + self.offset if self.changes else value


@cache
def conversion(given: str, wanted: str) -> Conversion | None:
    """Return what brings numbers of a unit to another; None where it is another quantity, or no unit that is known.

    Mass and amount are two quantities: what a mole weighs depends on the substance.

    Parameters
    ----------
    given, wanted : str
        E.g. ``"g/l"`` and ``"g/dl"``, ``"G/l"`` and ``"10³/µl"``, ``"°F"`` and ``"°C"``.
    """
    if _written(given) == _written(wanted):
        return Conversion()
    if max(len(given), len(wanted)) > _LONGEST:
        return None
    import pint

    try:
        (many, a), (times, b) = _parsed(given), _parsed(wanted)
        zero, one = (many * float(_registry().Quantity(number, a).to(b).magnitude) / times for number in (0.0, 1.0))
    # What it stumbles on in what somebody wrote: no unit, or one of another quantity.
    except (pint.PintError, AttributeError, ValueError, TypeError, ArithmeticError):
        return None
    factor = one - zero
    return Conversion() if abs(factor - 1) < _SAME and abs(zero) < _SAME else Conversion(factor, zero)


@cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    return pint.UnitRegistry()


def _written(unit: str) -> str:
    """Return a unit with what is written in several ways written in one."""
    text = _RAISED.sub(lambda found: f"^{found[1].translate(_SUPERSCRIPTS)}", unit.strip()).replace("μ", "µ")
    text = _POWER.sub(r"10^\1", text)
    if counted := _COUNTED.fullmatch(text):
        many = _MANY.get(counted[1].rstrip("."))
        return f"10^{many}/{counted[2]}" if many else f"1/{counted[2]}"
    return text


def _parsed(unit: str) -> tuple[float, pint.Unit]:
    """Return the power of ten in front of a unit, and the unit.

    Raises
    ------
    ValueError
        It is not written as a unit is.
    """
    found = _UNIT.fullmatch(_written(unit))
    if found is None or not found[0]:
        raise ValueError(f"{unit!r} is no unit")
    rest = _EXPONENT.sub(r"^\1", re.sub(r"\s", "", found["rest"] or "1").replace("^", ""))
    rest = rest.replace("·", "*").replace("°C", "degC").replace("°F", "degF").replace("%", "percent")
    return 10.0 ** int(found["power"] or 0), _registry().parse_units(f"1{rest}" if rest.startswith("/") else rest)
