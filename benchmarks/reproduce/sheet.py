"""What every table's page begins and ends with."""

from __future__ import annotations

from collections.abc import Sequence

_KIND = {
    "standard": "",
    "quick": "**A few steps of tiny networks: this checks the machinery, and the figures mean nothing.**\n\n",
    "full": "Made by `--full`.\n\n",
}


def sheet(system: str, parts: Sequence[str], *, kind: str, done: int, cells: int, notices: Sequence[str]) -> str:
    """Return a page, markdown.

    Parameters
    ----------
    system : str
        As it is written in prose.
    parts : sequence of str
        What the page says; those without text are left out.
    kind : {"standard", "quick", "full"}
        Of the budget.
    done, cells : int
        How many cells are complete, and how many there are to be.
    notices : sequence of str
        What was left out, and why.
    """
    flag = "" if kind == "standard" else f" --{kind}"
    name = system.split("-", maxsplit=1)[0].lower()
    head = (
        f"# {system}: the paper's comparison at the size of two cores\n\n"
        f"Made by `python -m benchmarks reproduce {name}{flag}` from {done} of {cells} cells; "
        "`--plan` tells what is missing.\n\n"
    )
    left_out = "## Left out\n\n" + "\n".join(f"- {notice}" for notice in notices) + "\n" if notices else ""
    return head + _KIND[kind] + "\n".join(part for part in (*parts, left_out) if part)
