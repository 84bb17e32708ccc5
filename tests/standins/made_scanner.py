"""Slides as scanners of several makers write them, made here where no real one is at hand: few and known pixels."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIDE = 64
"""Px of a tile."""


def smooth(height: int, width: int) -> np.ndarray:
    """Colours that JPEG keeps to a few greys, and that differ from place to place."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [60 + x * 150 // width, 40 + y * 180 // height, 200 - (x + y) * 120 // (height + width)], -1
    ).astype(np.uint8)


def write_vms(path: Path, pixels: np.ndarray, *, mpp: float = 0.5) -> Path:
    """Write a Hamamatsu VMS: a table, its JPEG with marks to begin again at, and a map."""
    height, width = pixels.shape[:2]
    options = {"quality": 100, "subsampling": 0}
    Image.fromarray(pixels).save(path.with_name("image.jpg"), restart_marker_blocks=width // 8, **options)
    for name in ("map", "macro"):
        Image.fromarray(pixels[::8, ::8]).save(path.with_name(f"{name}.jpg"), restart_marker_blocks=1, **options)
    nanometres = f"PhysicalWidth={round(width * mpp * 1000)}\nPhysicalHeight={round(height * mpp * 1000)}\n"
    path.write_text(
        "[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=1\nNoJpegRows=1\nSourceLens=20\n"
        f"{nanometres}ImageFile=image.jpg\nMapFile=map.jpg\nMacroImage=macro.jpg\n"
    )
    return path


def write_mrxs(path: Path, pixels: np.ndarray, *, mpp: float = 0.25, left_out: tuple[int, ...] = ()) -> Path:
    """Write a MIRAX: an empty main file, and the folder of its name with a table, an index and tiles."""
    down, across = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    folder = path.with_suffix("")
    folder.mkdir()
    path.touch()
    entries, data = [], bytearray(b"01.02made-up")
    for number in range(down * across):
        if number in left_out:
            continue
        y, x = (SIDE * one for one in divmod(number, across))
        file = folder / "tile.jpg"
        Image.fromarray(pixels[y : y + SIDE, x : x + SIDE]).save(file, quality=100, subsampling=0)
        tile = file.read_bytes()
        entries.append(struct.pack("<4i", number, len(data), len(tile), 0))
        data += tile
        file.unlink()
    (folder / "Data0000.dat").write_bytes(data)
    head = b"01.02made-up"
    root = len(head) + 8  # of the levels; behind it each level's list, which begins with a nought
    page = root + 4 + 8
    index = head + struct.pack("<2i", root, 0) + struct.pack("<i", root + 4) + struct.pack("<2i", 0, page)
    (folder / "Index.dat").write_bytes(index + struct.pack("<2i", len(entries), 0) + b"".join(entries))
    (folder / "Slidedat.ini").write_text(
        f"""[GENERAL]
SLIDE_VERSION = 01.02
SLIDE_ID = made-up
IMAGENUMBER_X = {across}
IMAGENUMBER_Y = {down}
OBJECTIVE_MAGNIFICATION = 40
[HIERARCHICAL]
HIER_COUNT = 1
NONHIER_COUNT = 0
INDEXFILE = Index.dat
HIER_0_NAME = Slide zoom level
HIER_0_COUNT = 1
HIER_0_VAL_0 = ZoomLevel_0
HIER_0_VAL_0_SECTION = LAYER_0_LEVEL_0_SECTION
[DATAFILE]
FILE_COUNT = 1
FILE_0 = Data0000.dat
[LAYER_0_LEVEL_0_SECTION]
OVERLAP_X = 0
OVERLAP_Y = 0
MICROMETER_PER_PIXEL_X = {mpp}
MICROMETER_PER_PIXEL_Y = {mpp}
IMAGE_FORMAT = JPEG
IMAGE_FILL_COLOR_BGR = 16777215
DIGITIZER_WIDTH = {SIDE}
DIGITIZER_HEIGHT = {SIDE}
IMAGE_CONCAT_FACTOR = 0
"""
    )
    return path


def write_bif(path: Path, pixels: np.ndarray, *, overlap: int = 8, mpp: float = 0.25) -> Path:
    """Write a Ventana BIF: a label, and 2 x 2 tiles that overlap by some px, numbered from below, to and fro."""
    far = SIDE - overlap
    assert pixels.shape[:2] == (SIDE + far, SIDE + far)
    label = f'<iScan ScanRes="{mpp}" Magnification="40" ScannerModel="made-up" Z-layers="1"/>'
    joints = "".join(
        f'<TileJointInfo FlagJoined="1" Confidence="100" Direction="{way}" Tile1="{one}" Tile2="{other}" '
        f'OverlapX="{overlap if way == "RIGHT" else 0}" OverlapY="{overlap if way == "UP" else 0}"/>'
        for way, one, other in (("RIGHT", 1, 2), ("UP", 2, 3), ("RIGHT", 4, 3), ("UP", 1, 4))
    )
    stitches = (
        '<EncodeInfo Ver="2"><SlideStitchInfo><ImageInfo AOIScanned="1" AOIIndex="0" NumRows="2" NumCols="2" '
        f'Width="{SIDE}" Height="{SIDE}" Pos-X="0" Pos-Y="0">{joints}</ImageInfo></SlideStitchInfo>'
        '<AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
    )
    rows = [np.concatenate([pixels[y : y + SIDE, x : x + SIDE] for x in (0, far)], axis=1) for y in (0, far)]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        options = {"photometric": "rgb", "metadata": None, "software": "ScanOutputManager 1.1"}
        xmp = [(700, 1, None, label.encode(), True)]
        file.write(smooth(32, 32), description="Label_Image", extratags=xmp, **options)
        file.write(
            np.concatenate(rows), tile=(SIDE, SIDE), compression="jpeg", compressionargs={"level": 100},
            description="level=0 mag=40 quality=90", extratags=[(700, 1, None, stitches.encode(), True)], **options,
        )  # fmt: skip
    return path


def write_ndpi(path: Path, pixels: np.ndarray, *, mpp: float = 0.5) -> Path:
    """Write a Hamamatsu NDPI: a JPEG a level, with marks to begin again at, a macro, and places of 64 bits."""
    data = bytearray(b"II*\0" + bytes(8))
    after = 4  # where the place of the next directory is written
    for one, lens in ((pixels, 20.0), (pixels[::2, ::2], 10.0), (smooth(32, 64), -1.0)):
        height, width = one.shape[:2]
        file = path.with_suffix(".jpg")
        Image.fromarray(one).save(file, quality=100, subsampling=0, restart_marker_blocks=SIDE // 8)
        picture, start = file.read_bytes(), len(data)
        file.unlink()
        data += picture
        scan = picture.index(b"\xff\xda")
        first = scan + 2 + int.from_bytes(picture[scan + 2 : scan + 4], "big")
        begins = [first, *(found.end() for found in re.finditer(rb"\xff[\xd0-\xd7]", picture[first:]))]
        begins[1:] = [first + one for one in begins[1:]]
        per_cm = round(1e4 / mpp * lens / 20) if lens > 0 else 100
        places = {
            282: struct.pack("<2I", per_cm, 1),
            283: struct.pack("<2I", per_cm, 1),
            258: struct.pack("<3H", 8, 8, 8),
        }
        places |= {271: b"Hamamatsu\0", 65426: struct.pack(f"<{len(begins)}I", *begins)}
        tags: dict[int, tuple[int, int, int | bytes]] = {
            256: (4, 1, width), 257: (4, 1, height), 258: (3, 3, 0), 259: (3, 1, 7), 262: (3, 1, 6), 271: (2, 10, 0),
            273: (4, 1, start), 277: (3, 1, 3), 278: (4, 1, height), 279: (4, 1, len(picture)), 282: (5, 1, 0),
            283: (5, 1, 0), 296: (3, 1, 3), 65420: (4, 1, 1), 65421: (11, 1, struct.pack("<f", lens)),
            65422: (9, 1, 0), 65423: (9, 1, 0), 65424: (9, 1, 0), 65426: (4, len(begins), 0),
        }  # fmt: skip
        entries = b""
        for tag, (kind, count, value) in tags.items():
            if tag in places:
                value = len(data)
                data += places[tag]
            stored = value if isinstance(value, bytes) else struct.pack("<I", value)
            entries += struct.pack("<HHI", tag, kind, count) + stored
        data[after : after + 8] = struct.pack("<Q", len(data))
        data += struct.pack("<H", len(tags)) + entries
        after = len(data)
        data += bytes(8 + 4 * len(tags))  # the next directory; the upper halves of values and places
    path.write_bytes(data)
    return path


def write_scn(path: Path, pixels: np.ndarray, *, mpp: float = 0.5) -> Path:
    """Write a Leica SCN: channels (c, y, x) in pages of two resolutions, and the whole slide before them."""
    count, height, width = pixels.shape
    pages = [("whole", pixels[0, ::16, ::16]), *((0, one) for one in pixels), *((1, one[::2, ::2]) for one in pixels)]
    dimensions = "".join(
        f'<dimension sizeX="{one.shape[1]}" sizeY="{one.shape[0]}" r="{level}" c="{(number - 1) % count}"'
        f' ifd="{number}"/>'
        for number, (level, one) in enumerate(pages)
        if level != "whole"
    )
    whole = f'<dimension sizeX="{width // 16}" sizeY="{height // 16}" r="0" ifd="0"/>'
    about = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection name="a">'
        f'<image name="overview"><pixels sizeX="{width // 16}" sizeY="{height // 16}">{whole}</pixels></image>'
        f'<image name="image_1"><pixels sizeX="{width}" sizeY="{height}">{dimensions}</pixels></image>'
        "</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, (level, one) in enumerate(pages):
            scale = 1e4 / mpp / (2 if level == 1 else 1)
            file.write(
                one, photometric="minisblack", tile=(64, 64), compression="zlib", metadata=None,
                resolution=(scale, scale), resolutionunit="CENTIMETER", description=None if number else about,
            )  # fmt: skip
    return path


def write_qptiff(path: Path, pixels: np.ndarray, names: list[str], *, mpp: float = 0.5) -> Path:
    """Write a QPTIFF: channels (c, y, x), a thumbnail, their halves, and a picture of the slide."""
    with tifffile.TiffWriter(path, bigtiff=True) as file:

        def write(one: np.ndarray, kind: str, name: str, scale: float, **options: object) -> None:
            about = (
                '<?xml version="1.0"?><PerkinElmer-QPI-ImageDescription>'
                f"<ImageType>{kind}</ImageType><Name>{name}</Name></PerkinElmer-QPI-ImageDescription>"
            )
            file.write(
                one, metadata=None, description=about, software="PerkinElmer-QPI", resolution=(scale, scale),
                resolutionunit="CENTIMETER", compression="lzw", **options,
            )  # fmt: skip

        grey = {"photometric": "minisblack", "tile": (64, 64)}
        for one, name in zip(pixels, names, strict=True):
            write(one, "FullResolution", name, 1e4 / mpp, **grey)
        write(smooth(40, 50), "Thumbnail", "", 100.0, photometric="rgb")
        for one, name in zip(pixels, names, strict=True):
            write(one[::2, ::2], "ReducedResolution", name, 0.5e4 / mpp, **grey)
        write(smooth(30, 80), "Overview", "", 100.0, photometric="rgb")
        write(smooth(33, 33), "Label", "", 100.0, photometric="rgb")
    return path


def write_czi(path: Path, pixels: np.ndarray, names: list[str], *, mpp: float = 0.5) -> Path:
    """Write a Zeiss CZI: channels (c, y, x) of 16 bits, a block each, not compressed."""

    def segment(kind: bytes, data: bytes) -> bytes:
        data += bytes(-len(data) % 32)
        return struct.pack("<16s2q", kind, len(data), len(data)) + data

    def entry(channel: int, at: int) -> bytes:
        sides = {b"X": (0, pixels.shape[2]), b"Y": (0, pixels.shape[1]), b"C": (channel, 1)}
        head = struct.pack("<2siqiiB5si", b"DV", 1, at, 0, 0, 0, b"", len(sides))  # 1: grey of 16 bits
        return head + b"".join(
            struct.pack("<4siifi", key, start, size, 0, size) for key, (start, size) in sides.items()
        )

    channels = "".join(
        f'<Channel Id="Channel:{n}" Name="{name}"><PixelType>Gray16</PixelType></Channel>'
        for n, name in enumerate(names)
    )
    distances = "".join(f'<Distance Id="{axis}"><Value>{mpp * 1e-6}</Value></Distance>' for axis in "XY")
    about = (
        "<ImageDocument><Metadata><Information><Image>"
        f"<SizeX>{pixels.shape[2]}</SizeX><SizeY>{pixels.shape[1]}</SizeY><SizeC>{len(names)}</SizeC>"
        f"<Dimensions><Channels>{channels}</Channels></Dimensions></Image></Information>"
        f"<Scaling><Items>{distances}</Items></Scaling></Metadata></ImageDocument>"
    ).encode()
    blocks, entries, at = [], [], 32 + 512
    for number, one in enumerate(pixels):
        entries.append(entry(number, at))
        head = struct.pack("<2iq", 0, 0, one.nbytes) + entries[-1]
        blocks.append(segment(b"ZISRAWSUBBLOCK", head.ljust(256, b"\0") + one.astype("<u2").tobytes()))
        at += len(blocks[-1])
    directory = segment(b"ZISRAWDIRECTORY", struct.pack("<i124s", len(entries), b"") + b"".join(entries))
    metadata = segment(b"ZISRAWMETADATA", struct.pack("<2i248s", len(about), 0, b"") + about)
    head = struct.pack("<2i8s16s16siqqiq", 1, 0, b"", b"", b"", 0, at, at + len(directory), 0, 0)
    path.write_bytes(segment(b"ZISRAWFILE", head.ljust(512, b"\0")) + b"".join(blocks) + directory + metadata)
    return path
