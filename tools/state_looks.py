"""State in the shipped models' config.json how their inputs look; weights stay as they are.

``diffuscope train`` does so by itself; these models are older, or were trained on their target alone. With the
simulated animals of recipes/nanoparticles-demo.yaml in ``runs/tumours``:

    python tools/state_looks.py ../shared/data runs
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from diffuscope.cases import find_cases
from diffuscope.jobs.inputs import open_inputs
from diffuscope.jobs.likeness.looks import MANY, Looks, look, seen_of
from diffuscope.jobs.scaling import find_foreground, with_statistics
from diffuscope.model.find import model_info
from diffuscope.model.folder import set_seen
from diffuscope.ports.seen import Seen
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Restaining, read_source
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.training.data.looks import seen_in_pictures

RECIPES = Path(__file__).parents[1] / "src" / "diffuscope" / "training" / "recipes"
STAINS = ("stain-cd3-demo", "stain-ck818-demo")
#: Of a model of volumes, the file of each input, and of what it is.
VOLUMES = {
    "ms-flair-demo": ({"t1": "T1", "t2": "T2"}, "the head that trained it"),
    "t1-to-flair-ms": ({"t1": "T1"}, "T1 of the head whose FLAIR trained it"),
    "flair-to-t1-ms": ({"flair": "FLAIR"}, "FLAIR of the head whose T1 trained it"),
    "mr-to-ct-sarcoma": ({"mr": "mr_t1"}, "MR of the 15 patients whose CT trained it"),
    "ct-to-mr-sarcoma": ({"ct": "ct"}, "CT of the 15 patients whose MR trained it"),
}


def main() -> None:
    """Look at what trained each model, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="holds ms-brain and sarcoma-ct-mr")
    parser.add_argument("runs", type=Path, help="holds tumours")
    options = parser.parse_args()
    for name in STAINS:
        _state(name, _of_stain(name))
    cases = [case.files for case in find_cases(options.runs / "tumours", ["vessels", "nuclei"]) if case.part != "test"]
    _state("nanoparticles-demo", _of_files("nanoparticles-demo", cases, "the 240 simulated fields that trained it"))
    for name, (files, of) in VOLUMES.items():
        folders = _trained_on(name, options.data)
        cases = [{key: folder / f"{file}.nii.gz" for key, file in files.items()} for folder in folders]
        _state(name, _of_files(name, cases, of))


def _of_stain(name: str) -> dict[str, Seen]:
    stated = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    data = Restaining.model_validate(stated["data"])
    port = model_info(name).declared.input_rasters[0]

    def pictures() -> Iterator[np.ndarray]:
        for source in data.sources:
            yield read_source(source, sample_path(), port.mpp)
        for seed in range(data.phantoms):
            yield simulate_tissue(seed, mpp=port.mpp).he

    of = f"the {len(data.sources)} H&E pictures and {data.phantoms} phantoms that trained it"
    return seen_in_pictures(pictures(), port, of)


def _trained_on(name: str, data: Path) -> list[Path]:
    """Return the folders of the patients whose scans trained a model: all that its recipe does not hold out."""
    stated = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))["data"]
    folder = data / ("sarcoma-ct-mr" if "sarcoma" in name else "ms-brain")
    held = {*stated.get("validate_on", ()), *stated.get("test_on", ())}
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in held)


def _of_files(name: str, cases: list[dict[str, Path]], of: str) -> dict[str, Seen]:
    ports = model_info(name).declared.input_rasters
    looks: dict[str, list[Looks]] = {port.key: [] for port in ports}
    for files in cases:
        opened = open_inputs({port.key: files[port.key] for port in ports}, ports, name, mpp=None)
        inside, factors = find_foreground(opened), opened[0].scan.factors(ports[0])
        for one in with_statistics(opened, inside, factors=factors):
            looks[one.port.key].append(look(one, inside, factors, number=MANY, seconds=np.inf))
    found = {key: seen_of(each, of) for key, each in looks.items()}
    return {key: seen for key, seen in found.items() if seen is not None}


def _state(name: str, seen: dict[str, Seen]) -> None:
    set_seen(model_info(name).path, seen)
    for key, one in seen.items():
        print(f"{name} {key}: {'; '.join(one.lines())}")


if __name__ == "__main__":
    main()
