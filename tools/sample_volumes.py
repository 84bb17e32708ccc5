"""Write the sample volumes that ship: ``python tools/sample_volumes.py ../shared/data src/diffuscope/sample_data``."""

from __future__ import annotations

import argparse
from pathlib import Path

import SimpleITK as sitk

# Patients that the shipped models never trained on. Of the head some slices with ventricles and lesions.
HEAD, SLICES = "patient19", slice(84, 108)
SARCOMA = "STS_010"


def main() -> None:
    """Cut the slices of the head and round them; copy the sarcoma's scans."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="holds ms-brain and sarcoma-ct-mr")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    for name in ("T1", "T2", "FLAIR"):
        whole = sitk.ReadImage(str(options.data / "ms-brain" / HEAD / f"{name}.nii.gz"))
        part = sitk.Cast(sitk.Round(whole[:, :, SLICES]), sitk.sitkInt16)
        sitk.WriteImage(part, str(options.out / f"head-{HEAD}-{name}.nii.gz"), useCompression=True)
    for name, file in (("CT", "ct"), ("MR", "mr_t1")):
        source = options.data / "sarcoma-ct-mr" / SARCOMA / f"{file}.nii.gz"
        (options.out / f"sarcoma-{SARCOMA}-{name}.nii.gz").write_bytes(source.read_bytes())


if __name__ == "__main__":
    main()
