"""What of a system trains, and for which objective: a recipe's rounds name both."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Self

from torch import nn

from diffuscope.errors import InputError, choice


class Trainable(nn.Module):
    """A network in parts, of which a round of training changes some.

    Attributes
    ----------
    objectives : mapping of str to tuple of str
        What `System.loss` can compute, by name, and the parts that train for it unless a recipe names others; none:
        all parts. The first is the one of a new system.
    objective : str
        What `System.loss` computes now.
    page : str
        Of the docs, that lists objectives and parts.
    """

    objectives: Mapping[str, tuple[str, ...]] = MappingProxyType({"all": ()})
    objective: str = ""
    page: str = "docs/train.md"
    # Names of the parts that stay as they are.
    _still: tuple[str, ...] = ()

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Parts by name: every parameter that trains lies in the modules of exactly one.

        The default is one part, ``"network"``. A part that a configuration does without has no modules.
        """
        return {"network": (self,)}

    def begin(self, objective: str = "", train: Collection[str] = ()) -> None:
        """Begin a round: say what the loss is and which parts train.

        All other parameters and statistics (of batch norms) stay as they are, bit for bit: other parts take no
        gradient, and are in evaluation mode while the system is in training mode.

        Parameters
        ----------
        objective : str
            One of `objectives`; empty: the first.
        train : collection of str
            Names of `parts`; none: those of the objective.

        Raises
        ------
        InputError
            There is no such objective or part, or nothing that could train.
        """
        parts, name = self.parts(), type(self).__name__
        objective = objective or next(iter(self.objectives))
        if objective not in self.objectives:
            raise InputError(
                f"{name} has no objective {objective!r}: {choice(objective, self.objectives, page=self.page)}."
            )
        for part in train:
            if part not in parts:
                raise InputError(f"{name} has no part {part!r}: {choice(part, parts, page=self.page)}.")
        chosen = tuple(train) or self.objectives[objective] or tuple(parts)
        moving = [one for part in chosen for module in parts[part] for one in module.parameters()]
        if not moving:
            raise InputError(f"{name} has no {' and no '.join(chosen)} in this configuration: nothing would train.")
        self.objective, self._still = objective, tuple(part for part in parts if part not in chosen)
        self.requires_grad_(requires_grad=False)
        for one in moving:
            one.requires_grad_()
        self.train(self.training)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Which parameters follow which term of the loss; ``{"loss": all}`` but for adversarial training.

        A trainer adds up the terms named here, goes back once, and clips the gradient of each list by its own norm;
        one optimiser holds all of them. For one Adam over the sum is one Adam for each term as long as no term has a
        gradient in another's parameters, which is for `System.loss` to see to (a player sees its opponent's weights
        detached).

        Returns
        -------
        dict of str to list of Parameter
            Keys that `System.loss` returns; every parameter, in exactly one list. ``"loss"`` is the first.
        """
        return {"loss": list(self.parameters())}

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the parts that train; the others stay in evaluation mode."""
        super().train(mode)
        if self._still:
            parts = self.parts()
            for module in (module for name in self._still for module in parts[name]):
                module.eval()
        return self
