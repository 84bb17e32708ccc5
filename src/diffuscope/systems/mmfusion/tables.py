"""From the row of a table to numbers that a network takes: scaled by the training rows, and whether they are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from diffuscope.ports.table import Column, Table


class TableScale(nn.Module):
    """A row as numbers of one size.

    A number is scaled by mean and standard deviation of the rows that trained, which are buffers of the model; one that
    is not known is 0, their mean, and says so. A category is one of n switches, all off where it is not known.

    Parameters
    ----------
    columns : sequence of Column
        Of the table.

    Attributes
    ----------
    wide : int
        Numbers that come out.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self._choices = [len(column.categories) for column in columns]
        self.register_buffer("mean", torch.zeros(len(columns)))
        self.register_buffer("deviation", torch.ones(len(columns)))
        self.wide = sum(choices or 1 for choices in self._choices) + len(columns)

    def fit(self, rows: Tensor) -> None:
        """Take the scale of numbers from rows that train; those of a column that is never known, or constant, stay.

        Parameters
        ----------
        rows : Tensor (n, columns)
            As `Table.encode` gives them: NaN where nothing is known.
        """
        for number, choices in enumerate(self._choices):
            known = rows[:, number][~rows[:, number].isnan()].cpu().double()
            if choices or len(known) < 2:
                continue
            self.mean[number] = known.mean()
            spread = float(known.std())
            self.deviation[number] = spread if spread > 0 else 1.0

    def forward(self, rows: Tensor) -> Tensor:
        """Return numbers (n, wide) of rows (n, columns), NaN where nothing is known."""
        known = ~rows.isnan()
        values = torch.where(known, rows, self.mean)
        parts = [known.to(rows.dtype)]
        for number, choices in enumerate(self._choices):
            value = values[:, number]
            if choices:
                place = torch.where(known[:, number], value, -1.0)[:, None]
                parts.append((place == torch.arange(choices, device=rows.device)).to(rows.dtype))
            else:
                parts.append(((value - self.mean[number]) / self.deviation[number])[:, None])
        return torch.cat(parts, dim=1)


def scaled_rows(
    tables: Sequence[Table], scales: Iterable[nn.Module], batch: Mapping[str, Tensor], *, device: torch.device
) -> tuple[list[Tensor], Tensor]:
    """Return the numbers of each table's rows (n, wide), and of which tables anything is known, bool (n, tables).

    Parameters
    ----------
    tables, scales : of Table and of TableScale
        One beside the other.
    batch : mapping of str to Tensor
        Rows (n, columns) by table; a table that it does not have is missing of all its cases.
    device : torch.device
        Of the scales.
    """
    count = len(next(iter(batch.values())))
    rows, known = [], []
    for table, scale in zip(tables, scales, strict=True):
        row = batch.get(table.key)
        row = torch.full((count, len(table.columns)), torch.nan, device=device) if row is None else row
        rows.append(scale(row))
        known.append((~row.isnan()).any(1))
    return rows, torch.stack(known, 1) if known else torch.zeros(count, 0, dtype=torch.bool, device=device)


def table_encoder(wide: int, width: int) -> nn.Sequential:
    """Return the network from the numbers of a row (n, wide) to a node (n, width): the MLP of the paper's Base 1."""
    return nn.Sequential(
        nn.Linear(wide, width), nn.LayerNorm(width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, width)
    )
