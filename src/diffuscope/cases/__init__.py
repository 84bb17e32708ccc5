"""Cases: a user's paired pictures, found, split by patient or slide, read by windows, checked for mistakes."""

from __future__ import annotations

from diffuscope.cases.case import Case
from diffuscope.cases.find import find_cases
from diffuscope.cases.opened import OpenCase, open_case
from diffuscope.cases.split import PARTS, folds, split
from diffuscope.cases.tissue import tissue_corners

__all__ = ["PARTS", "Case", "OpenCase", "find_cases", "folds", "open_case", "split", "tissue_corners"]
