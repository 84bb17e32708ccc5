"""Colours that mean the same in a report and in the window; red and blue are told apart by who confuses red and green.

Red, green, blue from 0 to 255.
"""

from __future__ import annotations

#: What speaks for the class, what against it, and what is neither.
FOR, AGAINST, NEITHER = (214, 72, 60), (70, 120, 220), (128, 136, 146)
#: An interval of the score.
SPAN = (186, 192, 200)
#: Where the model looked.
LOOKED = (255, 150, 0)


def web(colour: tuple[int, int, int]) -> str:
    """Return a colour as pages write it."""
    return "#" + bytes(colour).hex()
