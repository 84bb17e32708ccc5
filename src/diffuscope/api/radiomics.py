"""The verb `radiomics`: a table of what is measured of tumours and lymph nodes, one row a patient."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from diffuscope.api.events import Measured
from diffuscope.api.forms import checked
from diffuscope.cases.joined import Joined, join
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.files.place import FILE, check_place
from diffuscope.files.read import read_yaml
from diffuscope.jobs.inputs import split_channel
from diffuscope.jobs.mask_files import read_outlines
from diffuscope.measurement.measurements import write_csv
from diffuscope.ports.mask import Mask
from diffuscope.radiomics.by_mirp import check_mirp
from diffuscope.radiomics.case import case_row
from diffuscope.radiomics.columns import columns
from diffuscope.radiomics.settings import RadiomicsSettings
from diffuscope.scans import open_volume
from diffuscope.systems.bounds import fault_in_words
from diffuscope.unforeseen import unforeseen

_CT, _MASK = "ct", "mask"
_OUTLINES = Mask(name="outlines", key=_MASK, on=_CT, roles=("tumour", "node 1", "node 2", "node 3"))


@checked
def radiomics(
    cohort: str | Path,
    out: str | Path,
    *,
    settings: RadiomicsSettings | str | Path | None = None,
    overwrite: bool = False,
) -> Generator[Progress | Notice | Measured, None, None]:
    """Measure the tumour and the lymph nodes of each patient of a table.

    What can be checked is checked when this is called; CTs are opened while the returned generator is iterated.

    Parameters
    ----------
    cohort : str or Path
        CSV or XLSX file whose first column says the patient; ``ct`` and ``mask`` name volumes and outlines, relative
        to it. A mask is a volume of labels, 1 tumour and 2 to 4 nodes, or the RTSTRUCT of the CT's series.
    out : str or Path
        CSV file to write: the patient, and `diffuscope.radiomics.case.columns`. What is not known stays empty.
    settings : RadiomicsSettings, str or Path, optional
        How is measured, or a YAML file of it; default: that of `RadiomicsSettings`.
    overwrite : bool
        Replace a file in the way.

    Returns
    -------
    generator of Progress, Notice and Measured
        A `Progress` after each patient, a `Notice` of what a user should know, among it of patients who could not be
        measured, whose row is empty; last the rows.

    Raises
    ------
    InputError
        What was given cannot be used, or the table cannot be written.
    """
    check_mirp()
    cohort, out = Path(cohort), Path(out)
    how = settings if isinstance(settings, RadiomicsSettings) else _settings(settings)
    joined = join([cohort], [])
    for key in (_CT, _MASK):
        if not joined.having(key) or key == joined.first:
            raise InputError(
                f"{cohort.name} has no column “{key}” beside the patient: add it, with a path in each row."
            )
    named = (joined.text(patient, key) for patient in joined.patients for key in (_CT, _MASK))
    images = [split_channel(cohort.parent / text)[0] for text in named if text]
    tables = [cohort, *([Path(settings)] if isinstance(settings, str | Path) else [])]
    check_place(out, FILE, overwrite=overwrite, keep=[*tables, *images], outside=images)
    return _measure(joined, out, how, replace=overwrite)


def _settings(path: str | Path | None) -> RadiomicsSettings:
    if path is None:
        return RadiomicsSettings()
    try:
        return RadiomicsSettings.model_validate(read_yaml(Path(path)))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error
    except ValidationError as error:
        raise InputError(fault_in_words(Path(path).name, error, model=RadiomicsSettings)) from error


def _measure(
    joined: Joined, out: Path, settings: RadiomicsSettings, *, replace: bool
) -> Generator[Progress | Notice | Measured, None, None]:
    for sentence in joined.notices:
        yield Notice(sentence)
    found = []
    for number, patient in enumerate(joined.patients, start=1):
        ct, mask = (joined.text(patient, key) for key in (_CT, _MASK))
        measured: dict[str, float] = {}
        wrong = " ".join(patient.faults)
        if (ct or mask) and not wrong:
            try:
                measured = yield from _row(joined.sheets[0].path.parent, ct, mask, settings)
            except InputError as error:
                wrong = str(error)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  one patient must not cost the others their rows
                wrong = f"{unforeseen(error).sentence}: measure this patient alone."
        if wrong:
            yield Notice(f"{patient.name or 'A row without a patient'} is left empty: {wrong}")
        known = {name: value for name, value in measured.items() if np.isfinite(value)}
        found.append({joined.first: patient.name} | {name: known.get(name) for name in columns(settings)})
        yield Progress(done=number, total=len(joined.patients), unit="patients")
    write_csv(found, out, replace=replace)
    yield Measured(rows=found, path=out)


def _row(folder: Path, ct: str, mask: str, settings: RadiomicsSettings) -> Generator[Notice, None, dict[str, float]]:
    if not (ct and mask):
        raise InputError(f"there is no {_MASK if ct else _CT} beside the {_CT if ct else _MASK}: give both.")
    volume = open_volume(folder / ct)
    outlines = read_outlines(str(folder / mask), _OUTLINES, volume, alone=True)
    for sentence in outlines.notices:
        yield Notice(sentence)
    image = volume.read((0, 0, 0), volume.shape, factors=(1.0, 1.0, 1.0), fill=0)[..., 0]
    return case_row(image, outlines.labels, volume.spacing, settings)
