"""A model folder's README.md: the card in words, for whoever finds the folder."""

from __future__ import annotations

from typing import Any

from diffuscope.model.card import ModelConfig

# Letters of a setting that a table shows; a vocabulary has thousands.
_SHOWN = 400


def readme(name: str, config: ModelConfig, size: int) -> str:
    """Return the text of a model's README.md.

    Parameters
    ----------
    name : str
        Name of the folder.
    config : ModelConfig
        What config.json states.
    size : int
        Bytes of the weights file.
    """
    card = config.card
    lines = [
        f"# {card.title}",
        "",
        f"**What it is.** {card.what_it_is}",
        "",
        f"**What it is not.** {card.what_it_is_not}",
        "",
        "| | |",
        "|---|---|",
        f"| system | {config.system} |",
        *(f"| {key} | {_told(value)} |" for key, value in config.config.items()),
        f"| weights | float16, {size / 1e6:.1f} MB |",
        f"| trained on | {card.trained_on} |",
        f"| data | {card.data} |",
        f"| licence | {card.licence} |",
        "",
    ]
    if card.figures:
        lines += ["Measured on this file:", "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {value:g} |" for key, value in card.figures.items()]
        lines.append("")
    if config.seen:
        lines += ["How its inputs look; of others a run says so:", "", "| input | of | looks |", "|---|---|---|"]
        lines += [f"| {key} | {seen.of} | {'; '.join(seen.lines())} |" for key, seen in config.seen.items()]
        lines.append("")
    if config.recipe:
        lines += ["Made by:", "", "```sh", config.recipe, "```", ""]
    lines += ["Research use only; not for diagnosis.", "", f"`diffuscope run {name} FILE -o OUT.ome.zarr`", ""]
    return "\n".join(lines)


def _told(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else "see config.json"
