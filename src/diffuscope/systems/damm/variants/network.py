"""UMM-Network whose U hangs on something else than the multi-modal stream alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from diffuscope.systems.damm.network import Plain, UMMNetwork
from diffuscope.systems.damm.uafm import strictly_inside
from diffuscope.systems.damm.variants.agreement import Agreement


class VariedNetwork(UMMNetwork):
    """U = σ(W_n X_n + a(y_v, y_n)); with X_v for X_n as in the authors' code, whose confidence is 1 − U; or 0.

    Parameters
    ----------
    outputs, main, auxiliary, widths, **others
        As of `UMMNetwork`.
    of_main : bool
        Whether U is computed from X_v.
    agreement : bool
        Whether there is a.
    """

    def __init__(
        self,
        outputs: int,
        main: int,
        auxiliary: int,
        widths: Sequence[int],
        *,
        of_main: bool,
        agreement: bool,
        **others: Any,
    ) -> None:
        super().__init__(outputs, main, auxiliary, widths, **others)
        self.of_main = of_main
        self.agreement = Agreement(main + auxiliary, widths[:-1]) if agreement else None

    def tells_divergence(self) -> nn.ModuleList:
        """Return what d hangs on and the branches do not (see `UMMNetwork.tells_divergence`)."""
        return super().tells_divergence().extend([] if self.agreement is None else [self.agreement])

    def conditions(self, main: Tensor, auxiliary: Tensor) -> tuple[Tensor, ...]:
        """Return y_v, y_n and a(y_v, y_n), which hangs on the conditions alone."""
        both = super().conditions(main, auxiliary)
        return both if self.agreement is None else (*both, self.agreement(main, auxiliary))

    def forward(
        self, x: Tensor, time: Tensor, main: Tensor, auxiliary: Tensor, agreement: Tensor | None = None
    ) -> Plain:
        """Return what `encode` returns as plain tensors (see `UMMNetwork.forward`)."""
        features, fused, embedding = self.streams(x, time, main, auxiliary)
        source = (features if self.of_main else fused)[-1]
        if agreement is None:
            u = self.attention.uncertain(source)
        else:
            u = strictly_inside(self.attention.logits(source) + agreement)
        return features, fused, u, embedding
