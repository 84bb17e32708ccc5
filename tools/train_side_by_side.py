"""Trains several recipes at once on one GPU, a process each, and archives every model as soon as it is whole.

    python tools/train_side_by_side.py OUT [--archive FOLDER] RECIPE[@DATA] …

DATA is the folder that a recipe's paths are relative to, where it is not the recipe's own. Small networks leave a GPU
idle between their kernels, and processes alone take turns at it; where NVIDIA's MPS can be started they share it. A
line a minute tells where each training is. Where a machine is lent for minutes, give --archive a folder that outlives
it: what is whole lies there even if the machine is taken back before the slowest has ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

TELL_SECONDS = 60.0


@dataclass
class Training:
    """One model in training, a process."""

    name: str
    recipe: Path
    data: list[str]
    out: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self, options: list[str], environment: dict[str, str]) -> None:
        """Begin, or go on with what is there."""
        command = ["train", str(self.recipe), "-o", str(self.out), "--resume", *self.data, *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "diffuscope", *command], stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def code(self) -> int | None:
        """How it ended; None as long as it runs."""
        return None if self.process is None else self.process.poll()

    def said(self) -> str:
        """Return the last line of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else "starting"


def name_of(recipe: Path) -> str:
    """Return the name that a recipe gives its model."""
    return str(yaml.safe_load(recipe.read_text(encoding="utf-8"))["name"])


@contextmanager
def shared_gpu() -> Iterator[dict[str, str]]:
    """Run MPS as long as this lasts; yield the environment in which a process uses it, or the plain one."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield dict(os.environ)
        return
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = {**os.environ, **places}
        probe = [sys.executable, "-c", "import torch; torch.ones(1).cuda().item()"]
        subprocess.run([control, "-d"], env=environment, check=False)  # noqa: S603
        works = subprocess.run(probe, env=environment, check=False, timeout=120).returncode == 0  # noqa: S603
        print("MPS: processes share the GPU" if works else "MPS does not work here: processes take turns", flush=True)
        try:
            yield environment if works else dict(os.environ)
        finally:
            subprocess.run([control], input=b"quit\n", env=environment, check=False)  # noqa: S603


def keep(training: Training, folder: Path) -> None:
    """Write the model and its log as one archive, under its name only when it is whole."""
    part = folder / f"{training.name}.part"
    with tarfile.open(part, "w:gz") as archive:
        for path in (training.out, training.log):
            if path.exists():
                archive.add(path, arcname=path.name)
    part.replace(folder / f"{training.name}.tgz")


def main() -> int:
    """Train all; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the models")
    parser.add_argument("recipes", nargs="+", help="RECIPE[@DATA]")
    parser.add_argument("--archive", type=Path, help="where each model goes as it is whole; default OUT")
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    archive = given.archive or given.out
    archive.mkdir(parents=True, exist_ok=True)
    trainings = []
    for one in given.recipes:
        path, _, data = one.partition("@")
        name = name_of(Path(path))
        flags = ["--data", data] if data else []
        trainings.append(Training(name, Path(path), flags, given.out / name, given.out / f"{name}.log"))
    threads = max(1, (os.cpu_count() or 1) // len(trainings))
    options = ["--device", given.device, "--threads", str(threads)]
    begin = told = time.monotonic()
    with shared_gpu() as environment:
        environment |= {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        for training in trainings:
            training.start(options, environment)
        waiting = list(trainings)
        while waiting:
            for training in list(waiting):
                if training.code is not None:
                    waiting.remove(training)
                    keep(training, archive)
                    print(f"{time.monotonic() - begin:5.0f} s {training.name}: {training.said()}", flush=True)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                for training in waiting:
                    print(f"{told - begin:5.0f} s {training.name}: {training.said()}", flush=True)
            time.sleep(0.5)
    return sum(training.code != 0 for training in trainings)


if __name__ == "__main__":
    sys.exit(main())
