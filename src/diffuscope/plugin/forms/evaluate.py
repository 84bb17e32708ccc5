"""The form "Evaluate" without a widget: which model on which cases, and where the report goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.evaluation.report.folder import REPORT
from diffuscope.files.place import check_place
from diffuscope.plugin.forms.train import data_at


@dataclass
class EvaluateForm:
    """Everything that a user chooses before Evaluate.

    Attributes
    ----------
    model : str
        Name of a model that goes by a name, or the path of a model folder.
    data : str
        Folder of pairs, or a table of cases.
    mpp : float
        µm per pixel of files that do not say it; 0: all say it.
    quality : str
        One of the model's presets.
    samples : int
        Samples a tile.
    out : str
        Folder of the report.
    resume : bool
        Whether to go on with the report there.
    """

    model: str = ""
    data: str = ""
    mpp: float = 0.0
    quality: str = ""
    samples: int = 1
    out: str = ""
    resume: bool = False

    @property
    def path(self) -> Path:
        """Folder of the report."""
        return Path(self.out.strip()).expanduser().absolute()

    @property
    def is_taken(self) -> bool:
        """Whether there is something already where the report is to go."""
        return bool(self.out.strip()) and self.path.is_dir() and any(self.path.iterdir())

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the verb `evaluate`.

        Raises
        ------
        InputError
            Something is missing, or there is something already and nothing was said about it.
        """
        if not self.model:
            raise InputError("Choose a model.")
        data = data_at(self.data)
        if not self.out.strip():
            raise InputError("Say which folder the report is to be written to.")
        way_out = "tick “Go on with what is there”, or choose another folder"
        standing = check_place(self.path, REPORT, resume=self.resume, keep=[data], way_out=way_out)
        return {
            "model": self.model,
            "data": data,
            "out": self.path,
            "mpp": self.mpp or None,
            "quality": self.quality or None,
            "samples": self.samples,
            "resume": standing == "resumed",
        }
