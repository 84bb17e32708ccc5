"""open_scan on real files: pixels and metadata against independent readers."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openslide
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region
from diffuscope.scans.fingerprint import fingerprint, is_same
from diffuscope.scans.formats.tiff_pieces import Pieces
from diffuscope.scans.source import Source

CMU, OS1, TCGA = "CMU-1-Small-Region.svs", "OS-1-detail.ome.tif", "TCGA-CR-7395.svs"


def test_svs_tells_what_its_header_says() -> None:
    scan = open_scan(sample_path(CMU))
    slide = openslide.OpenSlide(sample_path(CMU))
    assert (scan.format, scan.rgb, scan.channels) == ("Aperio SVS", True, ("red", "green", "blue"))
    assert scan.shape == slide.dimensions[::-1] == (2967, 2220)
    assert scan.mpp == float(slide.properties["openslide.mpp-x"]) == 0.499
    assert scan.levels[0].chunksize == (240, 240, 3)
    assert set(scan.associated) == set(slide.associated_images) == {"label", "macro", "thumbnail"}
    for name, image in slide.associated_images.items():
        assert scan.associated[name].shape[:2] == image.size[::-1]
    assert scan.notices == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [CMU, TCGA])
def test_every_stored_pixel_is_openslides(name: str) -> None:
    scan = open_scan(sample_path(name))
    slide = openslide.OpenSlide(sample_path(name))
    for number, (width, height) in enumerate(slide.level_dimensions):
        theirs = np.asarray(slide.read_region((0, 0), number, (width, height)))[..., :3]
        ours = scan.levels[number].compute()
        assert ours.shape == theirs.shape
        # Two JPEG decoders may round differently by one or two.
        assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_ome_tiff_is_tifffiles_pixels_at_its_own_pixel_size() -> None:
    scan = open_scan(sample_path(OS1))
    assert scan.format == "OME-TIFF"
    assert scan.mpp == pytest.approx(0.2271, abs=1e-4)
    np.testing.assert_array_equal(scan.levels[0].compute(), tifffile.imread(sample_path(OS1)))


def test_no_pixel_size_is_none_and_can_be_given() -> None:
    assert open_scan(sample_path(TCGA)).mpp is None
    given = open_scan(sample_path(TCGA), mpp=0.25)
    assert given.mpp == 0.25
    assert given.notices[-1:] == (f"{TCGA} does not say its µm/px; 0.25 µm/px is used, as given.",)
    assert open_scan(sample_path(CMU), mpp=0.25).notices == (f"{CMU} says 0.499 µm/px; 0.25 µm/px is used, as given.",)
    with pytest.raises(InputError, match="positive"):
        open_scan(sample_path(TCGA), mpp=-1)


def test_levels_go_down_to_1024_by_whole_factors() -> None:
    scan = open_scan(sample_path(TCGA))
    assert [level.shape[:2] for level in scan.levels] == [(3567, 4443), (1783, 2221), (892, 1111), (446, 556)]
    assert scan.downsamples == (1.0, 2.0, 4.0, 8.0)
    fine = scan.levels[1].compute().astype(float)
    padded = np.pad(fine, [(0, 1), (0, 1), (0, 0)], mode="edge")
    means = padded.reshape(892, 2, 1111, 2, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(scan.levels[2].compute(), np.rint(means))


def test_opening_decodes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    real = Pieces.read
    monkeypatch.setattr(Pieces, "read", lambda self, plane, index: decoded.append(index) or real(self, plane, index))
    scan = open_scan(sample_path(CMU))
    assert decoded == []
    read_region(scan, y=480, x=480, height=240, width=240, factor=1.0)
    assert decoded == [2 * 10 + 2]  # the one tile that is needed, of ten a row


def test_a_dask_array_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of small pictures, of which a training opens many, they took a quarter of the time.
    made: list[Source] = []
    to_dask = Source.to_dask
    monkeypatch.setattr(Source, "to_dask", lambda level: (made.append(level), to_dask(level))[1])
    scan = open_scan(sample_path("TCGA-CR-7395.svs"))
    window = read_region(scan, y=0, x=0, height=8, width=8, factor=4.0)
    assert (window.shape, window.dtype, scan.shape) == ((8, 8, 3), scan.dtype, scan.sources[0].shape[:2])
    # What lies beside the slide, as its label, is made at once.
    assert not set(made) & set(scan.sources)
    assert scan.levels[1] is scan.levels[1] and made[-1] is scan.sources[1]
    assert [level.shape for level in scan.levels] == [level.shape for level in scan.sources]
    assert [level.shape for level in scan.levels[-2:]] == [level.shape for level in scan.sources[-2:]]


def test_threads_read_what_one_reads() -> None:
    places = [(y, x) for y in range(0, 2400, 400) for x in range(0, 2000, 300)]
    alone = open_scan(sample_path(CMU))
    shared = open_scan(sample_path(CMU))

    def read(place: tuple[int, int]) -> np.ndarray:
        return read_region(shared, y=place[0], x=place[1], height=150, width=150, factor=1.0)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read, places))
    for (y, x), pixels in zip(places, together, strict=True):
        np.testing.assert_array_equal(pixels, read_region(alone, y=y, x=x, height=150, width=150, factor=1.0))


def test_fingerprint_tells_files_apart_and_nothing_else(tmp_path) -> None:
    prints = {open_scan(sample_path(name)).fingerprint for name in (CMU, OS1, TCGA)}
    assert len(prints) == 3
    copy = tmp_path / "other-name.svs"
    copy.write_bytes(sample_path(CMU).read_bytes())
    assert open_scan(copy).fingerprint == open_scan(sample_path(CMU)).fingerprint
    changed = bytearray(copy.read_bytes())
    changed[-1] ^= 1
    copy.write_bytes(changed)
    assert open_scan(copy).fingerprint not in prints


@pytest.mark.parametrize("size", [5 * 2**20, 70 * 2**20])
def test_a_change_in_the_middle_of_a_file_makes_it_another(tmp_path, size) -> None:
    file = tmp_path / "slide"
    content = bytearray(size)
    content[:4] = b"head"
    file.write_bytes(content)
    whole = fingerprint(file)
    assert whole == fingerprint(file)
    # Of a large file blocks are looked at: a scan that was written again differs nearly everywhere.
    middle = size // 2
    content[middle - 2**20 : middle + 2**20] = b"x" * 2**21
    file.write_bytes(content)
    changed = fingerprint(file)
    assert changed != whole and not is_same(changed, whole)
    # An older version looked at the ends alone, and what it began is gone on with.
    old = hashlib.blake2b(size.to_bytes(8, "little") + content[: 2**20] + content[-(2**20) :], digest_size=16)
    assert is_same(changed, old.hexdigest()) and is_same(old.hexdigest(), whole)
    assert not is_same(changed, old.hexdigest()[::-1])


@pytest.mark.parametrize("side", [3, 60])
def test_a_changed_chunk_makes_a_folder_another(tmp_path, side) -> None:
    folder = tmp_path / "slide.ome.zarr"
    for y, x in np.ndindex(side, side):
        (folder / "0" / str(y)).mkdir(parents=True, exist_ok=True)
        (folder / "0" / str(y) / str(x)).write_bytes(bytes([y, x]))
    (folder / ".zattrs").write_text("{}")
    whole = fingerprint(folder)
    (folder / ".held").mkdir()
    (folder / ".held" / "1").write_text("who writes")
    assert fingerprint(folder) == whole
    for y, x in np.ndindex(side, side):
        if side / 3 <= y < side * 2 / 3:
            (folder / "0" / str(y) / str(x)).write_bytes(b"!!")
    assert not is_same(fingerprint(folder), whole)


def test_an_unknown_sample_names_those_there_are() -> None:
    with pytest.raises(InputError, match=CMU):
        sample_path("nothing.svs")
