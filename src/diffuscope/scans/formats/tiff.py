"""What all TIFF-based formats share: opening the file, its levels, and its resolution tags."""

from __future__ import annotations

import logging
from pathlib import Path

import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.ome_tiff import read_ome
from diffuscope.scans.formats.plain_tiff import read_plain
from diffuscope.scans.formats.scanners.by_openslide import read_by_openslide
from diffuscope.scans.formats.scanners.tiffs import read_scanner, scanner_of
from diffuscope.scans.formats.svs import read_svs
from diffuscope.scans.guards.tiff_directories import check_directories

# tifffile logs what is wrong with a damaged file; the user is told in one sentence. Handlers of the host still get it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff(path: Path) -> Contents:
    """Open any TIFF-based file: Aperio SVS, OME-TIFF, those of other scanners, other TIFF.

    Raises
    ------
    InputError
        When the file is truncated, damaged, or of a kind that cannot be read.
    """
    try:
        check_directories(path)
        # Micro-Manager's stacks are read by names of other files in them, which may lead anywhere.
        with tifffile.TiffFile(path, is_mmstack=False, is_ndtiff=False) as tif:
            if tif.is_svs:
                return read_svs(tif, path.name)
            if tif.is_ome:
                return read_ome(tif, path)
            if tif.is_bif:  # its tiles overlap, which tifffile leaves as it is
                return read_by_openslide(path)
            if kind := scanner_of(tif):
                return read_scanner(tif, path.name, kind)
            return read_plain(tif, path.name)
    except InputError:
        raise
    except Exception as error:  # tifffile raises what it likes on a damaged file: struct.error, KeyError, ValueError …
        raise InputError(f"{path.name} is damaged or no TIFF file that can be read ({error}).") from error
