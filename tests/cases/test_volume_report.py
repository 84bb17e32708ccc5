"""The data report on volumes tells what a run would tell of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffuscope.cases.case import Case
from diffuscope.cases.volumes import volume_report

nibabel = pytest.importorskip("nibabel")


def write(path: Path, voxels: np.ndarray, *, code: int = 1) -> Path:
    image = nibabel.Nifti1Image(voxels, np.eye(4))
    image.set_sform(np.eye(4), code)
    nibabel.save(image, path)
    return path


def test_what_is_odd_of_a_volume_stands_in_the_report(tmp_path):
    rng = np.random.default_rng(0)
    voxels = rng.normal(100, 20, (12, 14, 6)).astype(np.float32)
    holed = voxels.copy()
    holed[0] = np.nan
    cases = [
        Case(name="sound", files={"t1": write(tmp_path / "a.nii", voxels)}, group="a"),
        Case(name="holed", files={"t1": write(tmp_path / "b.nii", holed)}, group="b"),
        Case(name="lost", files={"t1": write(tmp_path / "c.nii", voxels + 1, code=0)}, group="c"),
    ]
    report = volume_report({"train": cases})
    while True:
        try:
            next(report)
        except StopIteration as stop:
            found = stop.value
            break
    told = {problem.cases: problem.sentence for problem in found.problems if problem.kind == "odd"}
    assert set(told) == {("holed",), ("lost",)}
    assert "84 voxels" in told["holed",] and "how the patient lies" in told["lost",]
    low, _, _, high = found.volumes["t1"].values
    assert low == pytest.approx(voxels.min()) and high == pytest.approx(voxels.max() + 1)
