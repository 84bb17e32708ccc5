"""Which outline has which role, without a widget: as the user says, else as its name does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from diffuscope.plugin.forms.cases.open_outlines import file_of
from diffuscope.plugin.forms.cases.outlines import (
    Drawn,
    Outlined,
    can_outline,
    count_labels,
    misfit,
    names_in,
    shapes_on,
)
from diffuscope.plugin.jobs.given.outlined import GivenOutlines, Numbered
from diffuscope.plugin.layers.facts import finest, slide_facts
from diffuscope.plugin.layers.inputs.held import held_labels
from diffuscope.ports.mask import Mask
from diffuscope.ports.roles import guess_roles, may_be

#: What an outline is that has no role.
NONE = ""


@dataclass
class Roles:
    """Outlines that a viewer has on the image of a mask, and the role of each.

    Attributes
    ----------
    port : Mask
        Of the model.
    outlined : list of Outlined
        What there is, those whose names tell a role first.
    roles : list of str
        Of each, `NONE` where it has none.
    problem : str
        Why they cannot be taken, in one sentence.
    """

    port: Mask
    outlined: list[Outlined] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    problem: str = ""
    _image: Any = None
    _said: WeakKeyDictionary[Any, dict[int | str, str]] = field(default_factory=WeakKeyDictionary)
    _counts: WeakKeyDictionary[Any, tuple[Any, dict[int, int]]] = field(default_factory=WeakKeyDictionary)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Roles that something has, in the order of the port."""
        return tuple(role for role in self.port.roles if role in self.roles)

    @property
    def files(self) -> tuple[Path | None, ...]:
        """Where each layer comes from that outlines something with a role; None of one that was drawn in the window."""
        used = dict.fromkeys(one.layer for one, role in zip(self.outlined, self.roles, strict=True) if role != NONE)
        return tuple(map(file_of, used))

    def say(self, number: int, role: str) -> None:
        """Give one of `outlined` a role, or `NONE`; it keeps it as long as its layer is there."""
        one = self.outlined[number]
        self._said.setdefault(one.layer, {})[one.label] = role
        self._decide()

    def forget_counts(self, layer: Any) -> None:
        """Look at a layer again that was painted in."""
        self._counts.pop(layer, None)

    def look(self, layers: Sequence[Any], image: Any) -> None:
        """Take in what the layers of a viewer outline on an image's layer; None: there is none."""
        self._image = image
        self.outlined = []
        for layer in layers if image is not None else ():
            if can_outline(layer, image):
                self.outlined += names_in(layer, self._count(layer))
        self.outlined.sort(key=lambda one: not may_be(one.name, self.port.roles))
        self._decide()

    def given(self) -> GivenOutlines | None:
        """Return what a run takes; None where nothing has a role.

        Raises
        ------
        InputError
            A shape encloses nothing, or does not lie in a slice; or as of `held`.
        """
        image = self._image
        taken = sorted(
            (self.port.roles.index(role) + 1, number) for number, role in enumerate(self.roles) if role != NONE
        )
        if image is None or not taken:
            return None
        parts: list[Numbered | tuple[Drawn, int]] = []
        data: dict[Any, Any] = {}
        for role, number in taken:
            one = self.outlined[number]
            if isinstance(one.label, int):
                if one.layer not in data:
                    data[one.layer] = held_labels(finest(one.layer), one.layer.name)
                parts.append(Numbered(data=data[one.layer], numbers={one.label: role}))
            else:
                parts += [(drawn, role) for drawn in shapes_on(one.layer, one.label, image)]
        facts = slide_facts(image)
        told = dict.fromkeys(self.outlined[number].layer.name for _, number in taken)
        return GivenOutlines(
            key=self.port.key, name=" and ".join(told), on=facts, shape=tuple(finest(image).shape[: image.ndim]),
            parts=parts,
        )  # fmt: skip

    def _count(self, layer: Any) -> dict[int, int]:
        data, counts = self._counts.get(layer, (None, {}))
        if data is not layer.data:
            counts = count_labels(layer)
            self._counts[layer] = layer.data, counts
        return counts

    def _decide(self) -> None:
        """Find the role of each, and what is wrong with those that have one."""
        unfit = {one.layer: misfit(one.layer, self._image) for one in self.outlined}
        said = [self._said.get(one.layer, {}).get(one.label) for one in self.outlined]
        fits = [number for number, one in enumerate(self.outlined) if not unfit[one.layer]]
        # what lies elsewhere is taken by its name only where nothing lies here
        among = fits or list(range(len(self.outlined)))
        guessed = self._guess([number for number in among if said[number] is None], [one for one in said if one])
        self.roles = [role if role is not None else guessed.get(number, NONE) for number, role in enumerate(said)]
        wrong = [unfit[one.layer] for one, role in zip(self.outlined, self.roles, strict=True) if role != NONE]
        self.problem = next(filter(None, wrong), "")

    def _guess(self, among: Sequence[int], taken: Sequence[str]) -> Mapping[int, str]:
        """Return the roles that names tell, of roles that are not taken; of labels without a name their numbers."""
        by_name: dict[str, int] = {}
        for number in among:
            if self.outlined[number].is_named:
                by_name.setdefault(self.outlined[number].name, number)
        free = [role for role in self.port.roles if role not in taken]
        guess = guess_roles(list(by_name), free, lambda name: self._size(self.outlined[by_name[name]]))
        found = {by_name[name]: role for name, role in guess.roles.items()}
        if found or guess.unclear:
            return found
        for number in among:
            label = self.outlined[number].label
            if max(self._count(self.outlined[number].layer), default=0) > len(self.port.roles):
                continue  # numbers of another meaning
            role = self.port.roles[label - 1] if isinstance(label, int) and 0 < label <= len(self.port.roles) else NONE
            if role in free and role not in found.values():
                found[number] = role
        return found

    def _size(self, one: Outlined) -> int:
        return self._count(one.layer).get(one.label, 0) if isinstance(one.label, int) else len(one.layer.data)
