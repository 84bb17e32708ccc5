"""The lines of docs/any-to-any.md make a picture of a volume that its model takes, as a radiograph is looked at."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel
import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.port_checks import check_port
from diffuscope.model.find import model_info
from diffuscope.scans import open_scan, open_volume

PAGE = Path(__file__).resolve().parents[2] / "docs" / "any-to-any.md"


def test_the_picture_is_frontal_in_hu_of_4_mm_with_the_left_on_the_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # To the patient's right, front and top; bright is what lies at the left and above, in the middle from the front.
    hu = np.full((128, 80, 150), -700, np.int16)
    hu[8:40, :, 100:132] = 300
    nibabel.save(nibabel.Nifti1Image(hu, np.diag([2.0, 2.0, 2.0, 1.0])), tmp_path / "ct.nii.gz")
    [code] = re.findall(r"^```python\n# a slice of a CT\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, PAGE.name, "exec"), {})
    made = open_scan("slice.ome.tif")
    assert (made.shape, made.mpp) == ((64, 64), 4000)
    right = np.full((64, 64), -700.0)
    # Of 75 planes 64 are taken, from 5 on; 50 to 65 are bright, and the last one stands above.
    right[64 - (66 - 5) : 64 - (50 - 5), 64 - 20 : 64 - 4] = 300
    found = np.asarray(made.levels[0])[..., 0]
    np.testing.assert_array_equal(found, right)
    info = model_info("any-to-any-demo")
    port = next(port for port in info.declared.input_rasters if port.key == "ct")
    check_port(made, port, info.name)
    with pytest.raises(InputError, match="works on slides and other pictures: give one slice of it as a picture"):
        check_port(open_volume("ct.nii.gz"), port, info.name)
