"""What the patients who trained are like, column by column and together, and whether another one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffuscope.ports.table import Column
from diffuscope.systems.mmfusion.likeness.tails import limits_of
from diffuscope.systems.mmfusion.likeness.together import Law, held_out, law_of

# Of fewer cases nothing is said.
_LEAST = 20
# Shares of training's own cases, held out of what they are compared with, that may be told as unlike it: of a column,
# and of all together.
_BEYOND, _APART = 0.005, 0.01
# Range of a column: where 99 % of its training values lie.
_INNER = (0.005, 0.995)
_NEVER, _NAMED = 3e38, 3
# Numbers of a case that are looked at together, at most: their covariances are part of the model.
_TOGETHER = 1000


class Usual(nn.Module):
    """Buffers that say what training's cases are like; without them nothing is unlike.

    Parameters
    ----------
    columns : sequence of Column
        What is known of a case at most, one beside the other.
    limits : mapping of str to (float, float)
        By name of a column, the lowest and the highest number that is not told; `fit` finds them. Of a column without,
        as models of before have them, what is told lies far beyond the range of 99 %, by one measure for all columns.
    """

    low: Tensor
    high: Tensor
    scale: Tensor
    beyond: Tensor
    taken: Tensor
    mean: Tensor
    deviation: Tensor
    covariance: Tensor
    apart: Tensor

    def __init__(
        self, columns: Sequence[Column], limits: Mapping[str, tuple[float, float]] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self.columns, self.limits = tuple(columns), dict(limits)
        self._numbers = [place for place, column in enumerate(columns) if not column.categories]
        count, most = len(self._numbers), max((len(column.categories) for column in columns), default=0)
        self._joint = count if count <= _TOGETHER else 0
        self.register_buffer("low", torch.full((count,), -_NEVER))
        self.register_buffer("high", torch.full((count,), _NEVER))
        self.register_buffer("scale", torch.ones(count))
        self.register_buffer("beyond", torch.tensor(0.0))
        self.register_buffer("taken", torch.ones(len(columns), most, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(self._joint))
        self.register_buffer("deviation", torch.ones(self._joint))
        self.register_buffer("covariance", torch.eye(self._joint))
        self.register_buffer("apart", torch.tensor(_NEVER))

    def fit(self, rows: Tensor) -> None:
        """Take all from cases that train, and from no others; from fewer than twenty nothing.

        Parameters
        ----------
        rows : Tensor (n, columns)
            Categories by their index, NaN where nothing is known.
        """
        values = rows.cpu().double().numpy()
        if len(values) < _LEAST:
            return
        for place, column in enumerate(self.columns):
            own = range(len(column.categories))
            self.taken[place, : len(own)] = torch.tensor([bool((values[:, place] == one).any()) for one in own])
        numbers = values[:, self._numbers]
        known = {self.columns[place].name: values[~np.isnan(values[:, place]), place] for place in self._numbers}
        self.limits = {
            name: _rounded(*limits_of(own, len(self._numbers))) for name, own in known.items() if len(own) >= _LEAST
        }
        low, high = _ranges(numbers)
        scale = np.array([_spread(column) for column in numbers.T])
        folds = np.random.default_rng(0).permutation(len(numbers)) % 10
        excess = np.zeros(len(numbers))
        for fold in range(10):
            excess[folds == fold] = _excess(numbers[folds == fold], *_ranges(numbers[folds != fold]), scale).max(
                axis=1, initial=0.0
            )
        clipped = numbers.clip(low, high)[:, : self._joint]
        law = law_of(clipped)
        distances = held_out(clipped, folds)
        distances = distances[np.isfinite(distances)]
        found = {
            "low": low,
            "high": high,
            "scale": scale,
            "beyond": np.quantile(excess, 1 - _BEYOND, method="higher"),
            "mean": law.mean,
            "deviation": law.deviation,
            "covariance": law.covariance,
            "apart": np.quantile(distances, 1 - _APART, method="higher") if len(distances) >= _LEAST else _NEVER,
        }
        for name, one in found.items():
            self.get_buffer(name).copy_(torch.as_tensor(one))

    def unlike(self, row: Tensor) -> str:
        """Say in one sentence how a case is unlike those who trained; nothing where it is not.

        Parameters
        ----------
        row : Tensor (columns,)
            As of `fit`.
        """
        values = row.cpu().double().numpy()
        far = self._far(values[self._numbers])
        parts = [
            f"{column.title or column.name} is {column.categories[int(value)]}, as of none of them"
            for column, value, taken in zip(self.columns, values, self.taken.tolist(), strict=True)
            if column.categories and not np.isnan(value) and not taken[int(value)]
        ]
        parts += [self._beyond(number, values) for number in np.flatnonzero(far).tolist()]
        if not parts:
            parts = self._together(values[self._numbers])
        if not parts:
            return ""
        more = f"; and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        return f"Unlike the patients of training, so that the score may be wrong: {'; '.join(parts[:_NAMED])}{more}."

    def _far(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        low, high, scale = (one.cpu().double().numpy() for one in (self.low, self.high, self.scale))
        far = np.asarray(_excess(numbers, low, high, scale) > float(self.beyond))
        for number, place in enumerate(self._numbers):
            if ends := self.limits.get(self.columns[place].name):
                far[number] = numbers[number] < ends[0] or numbers[number] > ends[1]
        return far

    def _beyond(self, number: int, values: NDArray[np.float64]) -> str:
        column = self.columns[self._numbers[number]]
        unit = f" {column.unit}" if column.unit else ""
        low, high = (f"{float(one[number]):.3g}" for one in (self.low, self.high))
        value = values[self._numbers[number]]
        return f"{column.title or column.name} is {value:.4g}{unit} (99 % of them: {low} to {high})"

    def _together(self, numbers: NDArray[np.float64]) -> list[str]:
        low, high = (one.cpu().double().numpy() for one in (self.low, self.high))
        law = Law(*(one.cpu().double().numpy() for one in (self.mean, self.deviation, self.covariance)))
        distance, shares = law.distance(numbers.clip(low, high)[: self._joint])
        if not distance > float(self.apart):
            return []
        first, second = np.argsort(-np.nan_to_num(shares))[:2]
        names = [
            self.columns[self._numbers[one]].title or self.columns[self._numbers[one]].name for one in (first, second)
        ]
        return [f"each value is usual, but not all together, above all {names[0]} with {names[1]}"]


def _rounded(low: float, high: float) -> tuple[float, float]:
    return float(f"{low:.4g}"), float(f"{high:.4g}")


def _ranges(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where 99 % of the known values of each column lie; everywhere, where fewer than twenty are known."""
    ends = np.full((2, numbers.shape[1]), np.array([[-_NEVER], [_NEVER]]))
    for place, column in enumerate(numbers.T):
        known = column[~np.isnan(column)]
        if len(known) >= _LEAST:
            ends[:, place] = np.quantile(known, _INNER)
    return ends[0], ends[1]


def _spread(column: NDArray[np.float64]) -> float:
    known = column[~np.isnan(column)]
    return float(known.std()) or 1e-6 * max(abs(float(known[0])), 1e-6) if len(known) else 1.0


def _excess(
    numbers: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far values lie beyond their ranges, in deviations; 0 within and where nothing is known."""
    return np.nan_to_num(np.maximum(low - numbers, numbers - high) / scale, nan=0.0).clip(0.0)
