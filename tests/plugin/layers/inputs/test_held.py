"""What a job is given is what was there when it was asked for, also where it waits."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any
from weakref import ref

import dask.array as da
import numpy as np
import pytest
import zarr

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.run import given_inputs
from diffuscope.plugin.layers.compare import picture_of
from diffuscope.plugin.layers.facts import slide_facts
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster

napari = pytest.importorskip("napari")
from diffuscope.plugin.forms.cases.roles import Roles  # noqa: E402  it brings napari
from diffuscope.plugin.forms.register import SlideChoice  # noqa: E402

HE = Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
OUTLINES = Mask(name="outlines", key="mask", on="ct", roles=("tumour", "node 1"))


@pytest.mark.parametrize("is_on_disk", [False, True], ids=["in memory", "zarr"])
def test_what_is_painted_while_a_run_waits_is_not_in_it(tmp_path: Path, is_on_disk: bool):
    drawn = np.zeros((8, 32, 32), np.uint8)
    drawn[2:4, 5:10, 5:10] = 1
    drawn[6, 20:24, 20:24] = 2
    data = zarr.array(drawn, store=str(tmp_path / "l.zarr"), chunks=(1, 32, 32)) if is_on_disk else drawn.copy()
    ct = napari.layers.Image(np.zeros(drawn.shape, np.float32), name="ct", scale=(2, 1, 1), units=("mm",) * 3)
    labels = napari.layers.Labels(data, name="outlines", scale=(2, 1, 1), units=("mm",) * 3)
    roles = Roles(OUTLINES)
    roles.look([ct, labels], ct)
    given = roles.given()
    assert given is not None
    labels.n_edit_dimensions, labels.brush_size, labels.selected_label = 3, 9, 1
    labels.paint((5, 20, 20), 1)
    assert not np.array_equal(np.asarray(labels.data), drawn)
    np.testing.assert_array_equal(given.labels(), drawn)


def _run(layer: Any) -> Any:
    [given] = given_inputs([HE], [layer], [slide_facts(layer)])
    return given.pixels


def _register(layer: Any) -> Any:
    return SlideChoice("H&E", layer).side().pixels


def _compare(layer: Any) -> Any:
    return picture_of(layer).levels[0]


@pytest.mark.parametrize("bind", [_run, _register, _compare])
@pytest.mark.parametrize("lazy", [False, True], ids=["numpy", "dask"])
def test_an_image_that_is_edited_while_a_job_waits_is_as_it_was(bind: Any, lazy: bool):
    before = np.random.default_rng(0).integers(0, 255, (32, 48, 3)).astype(np.uint8)
    data = da.from_array(before.copy(), chunks=16) if lazy else before.copy()
    layer = napari.layers.Image(data, rgb=True, scale=(0.5, 0.5), units=("um", "um"))
    pixels = bind(layer)
    layer.data[:8] = 0
    assert not np.array_equal(np.asarray(layer.data), before)
    np.testing.assert_array_equal(np.asarray(pixels), before)


def test_jobs_of_the_same_pixels_share_a_copy_that_goes_with_the_last():
    pixels = np.random.default_rng(0).random((8, 9))
    pixels[3, 4] = np.nan
    one, other = held(pixels, "a"), held(pixels, "a")
    assert one is other is not pixels
    pixels[0, 0] = 2.0
    new = held(pixels, "a")
    assert new is not one and new[0, 0] == 2.0 != one[0, 0]
    gone = ref(one)
    del one, other
    gc.collect()
    assert gone() is None


def test_what_nobody_can_write_into_is_not_copied(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((8, 9)))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert held(mapped, "a") is mapped
    seen = np.zeros((8, 9)).view()
    seen.flags.writeable = False
    assert held(seen, "a") is not seen  # its base can be


def test_an_image_without_room_for_a_copy_is_refused():
    class Large(np.ndarray):
        def copy(self, order: str = "C") -> Any:
            raise MemoryError

    with pytest.raises(InputError, match=r"^“a” has 0\.0 GiB, and there is no memory to keep it as it is now: save it"):
        held(np.zeros((8, 9)).view(Large), "a")
