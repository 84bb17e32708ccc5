"""Simulated chests and heads: CT, MRI, radiograph and report of the same hidden findings, and readers of each."""

from diffuscope.simulation.thorax_brain.agreement import agreement
from diffuscope.simulation.thorax_brain.findings import REGIONS, Finding, Findings, Region
from diffuscope.simulation.thorax_brain.readers.read import read_image
from diffuscope.simulation.thorax_brain.reports.parse import read_report
from diffuscope.simulation.thorax_brain.reports.write import reports, write_report
from diffuscope.simulation.thorax_brain.subject import KEYS, MPP, REPORT, SIDE, Subject, simulate

__all__ = [
    "KEYS",
    "MPP",
    "REGIONS",
    "REPORT",
    "SIDE",
    "Finding",
    "Findings",
    "Region",
    "Subject",
    "agreement",
    "read_image",
    "read_report",
    "reports",
    "simulate",
    "write_report",
]
