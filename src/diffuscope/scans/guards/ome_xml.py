"""What an OME-XML claims and which files it names, looked at before tifffile follows it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from diffuscope.errors import InputError
from diffuscope.scans.guards.places import check_regular, inside
from diffuscope.scans.guards.sizes import PLANES, check_planes
from diffuscope.scans.guards.tiff_directories import check_directories

# Files of one image: one a plane, as some microscopes write them.
_FILES = 512


def parse(text: str, name: str, what: str = "an OME-XML description") -> ET.Element:
    """Return the root of an OME-XML, or of `what` else describes an image.

    Raises
    ------
    InputError
        It is none.
    """
    try:
        return ET.fromstring(text)  # noqa: S314 (expat since 2.4.1 bounds entities, and reads none from outside)
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"{name} has {what} that cannot be read ({error}).") from error


def check_claims(root: ET.Element, name: str) -> None:
    """Refuse sizes of which lists would be made that no memory holds.

    Raises
    ------
    InputError
        See above, or a size is no number.
    """
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        try:
            if kind == "Pixels":
                planes = 1
                for axis in "CZT":
                    planes *= max(0, int(element.get(f"Size{axis}", "1")))
                check_planes(name, planes)
            elif kind == "TiffData":
                for key in ("IFD", "NumPlanes", "PlaneCount", "FirstC", "FirstZ", "FirstT"):
                    if not 0 <= int(element.get(key, "0")) <= 2 * PLANES:
                        raise InputError(f"{name} claims {key} {element.get(key)} in its OME-XML, more than is read.")
            elif kind.startswith("Along") and "Start" in element.attrib:
                start, end, step = (float(element.get(key, "1")) for key in ("Start", "End", "Step"))
                if not (end - start) / step <= PLANES:
                    raise InputError(f"{name} claims more steps along an axis in its OME-XML than are read.")
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise InputError(f"{name} has a size in its OME-XML that is no number ({error}).") from error


def other_files(root: ET.Element, path: Path) -> tuple[Path, ...]:
    """Return the other files of an image that an OME-XML names, in the order in which it names them first.

    Raises
    ------
    InputError
        One leads out of the folder of `path`, is a link or no file, is damaged, or there are too many.
    """
    own = root.get("UUID")
    found: dict[str, None] = {}
    for element in root.iter():
        if element.tag.rpartition("}")[2] != "UUID" or (own is not None and element.text == own):
            continue
        named = element.get("FileName", "")
        if named and named.lower() != path.name.lower():
            found[named] = None
        if len(found) > _FILES:
            raise InputError(f"{path.name} is one of more than {_FILES} files of one image: save it as one file.")
    others = [inside(path.parent, named, path.name) for named in found]
    there = [other for other in others if other.exists()]  # what is missing is told where planes are counted
    for other in there:
        check_regular(other, path.name, "another file")
        check_directories(other)
    return tuple(there)


def description_elsewhere(root: ET.Element) -> str:
    """Return the name of the file that has the description, where this one only says so; else an empty text."""
    for element in root:
        if element.tag.rpartition("}")[2] == "BinaryOnly":
            return element.get("MetadataFile", "another file")
    return ""
