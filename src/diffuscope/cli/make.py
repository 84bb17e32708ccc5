"""`diffuscope make`: data sets, simulated or laid out anew, and a model's card."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from diffuscope.errors import InputError

make = typer.Typer(
    help="Make data to train on: simulated, or a folder of your own laid out as cases.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_NEW = typer.Argument(metavar="OUT", help="A folder that is made.")


@make.command()
def tumours(
    out: Annotated[Path, _NEW],
    *,
    animals: Annotated[int, typer.Option(help="Animals of the tumour model to train on.")] = 6,
    external: Annotated[int, typer.Option(help="Animals of the other tumour model, which no training reads.")] = 2,
    fields: Annotated[int, typer.Option(help="Fields of each animal.")] = 24,
    size: Annotated[int, typer.Option(help="Side of a field, px of 1 µm; even.")] = 256,
    discordant: Annotated[float, typer.Option(help="Share of fields whose nuclei channel misleads.")] = 0.25,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    phantom: Annotated[str, typer.Option(help="Where cells keep particles: even or endosomal.")] = "even",
    workers: Annotated[int | None, typer.Option(help="Processes that simulate. [default: one a core]")] = None,
) -> None:
    """Simulate a cohort of tumours: vessels, nuclei and nanoparticles of known physics, as cases."""
    from diffuscope.simulation.tumour.dataset import Plan, write_cohort

    plan = Plan(
        animals=animals,
        external=external,
        fields=fields,
        size=size,
        discordant=discordant,
        seed=seed,
        phantom=phantom,
    )
    number = write_cohort(out, plan, workers=workers or os.cpu_count() or 1)
    typer.echo(f"Wrote {_counted(number, 'case')} into {out}")


@make.command()
def tumour(out: Annotated[Path, typer.Argument(metavar="FILE.ome.tif", help="The file to write.")]) -> None:
    """Simulate the tumour section that ships as a sample: one large field with three channels."""
    from diffuscope.simulation.tumour.dataset import write_sample

    write_sample(out)
    typer.echo(f"Wrote {out}")


@make.command()
def oesophagus(
    out: Annotated[Path, _NEW],
    *,
    patients: Annotated[int, typer.Option(help="How many.")] = 300,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    prevalence: Annotated[float, typer.Option(help="Share of patients with lymph-node metastasis.")] = 0.45,
    no_ct: Annotated[float, typer.Option(help="Share of patients without a CT.")] = 0.0,
    no_blood: Annotated[float, typer.Option(help="Share of patients without blood values.")] = 0.0,
    empty: Annotated[float, typer.Option(help="Share of the tables' values that nobody noted.")] = 0.0,
    background: Annotated[
        Path | None, typer.Option(help="Folder of real neck CTs, as of OpenKBP, in which the tumours grow.")
    ] = None,
) -> None:
    """Simulate patients with oesophageal cancer: CT, outlines, tables, and a label by a written rule."""
    from diffuscope.simulation.oesophagus.background import read_scenes
    from diffuscope.simulation.oesophagus.cohort import CohortPlan
    from diffuscope.simulation.oesophagus.dataset import write_cohort

    plan = CohortPlan(patients=patients, seed=seed, prevalence=prevalence, no_ct=no_ct, no_blood=no_blood, empty=empty)
    best = write_cohort(out, plan, () if background is None else read_scenes(background))
    typer.echo(f"Wrote {_counted(patients, 'patient')} into {out}")
    typer.echo(
        f"Who knew the rule and all its factors would reach, of these: accuracy {best.accuracy:.3f}, "
        f"AUROC {best.auroc:.3f}, Brier score {best.brier:.3f}"
    )


@make.command()
def thorax(
    out: Annotated[Path, _NEW],
    *,
    patients: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    regions: Annotated[str, typer.Option(help="What is shown, by turns: chest, head, or both.")] = "chest,head",
    reports: Annotated[int, typer.Option(help="Reports of others without images, in a table reports.csv.")] = 0,
) -> None:
    """Simulate chests and heads: CT, MRI, radiograph and report of the same hidden findings, as cases."""
    from diffuscope.simulation.thorax_brain.dataset import Plan, write_cohort
    from diffuscope.simulation.thorax_brain.findings import check_region

    named = tuple(check_region(region.strip()) for region in regions.split(","))
    number = write_cohort(out, Plan(patients=patients, seed=seed, regions=named, reports=reports))
    typer.echo(f"Wrote {_counted(number, 'patient')} into {out}")


@make.command()
def pairs(out: Annotated[Path, _NEW]) -> None:
    """Restain 26 crops of the shipped slide by a written rule, and write a recipe that fine-tunes on them."""
    from diffuscope.simulation.restaining.example import APART, PAIRS, write_example

    write_example(out)
    typer.echo(f"Wrote {PAIRS + APART} pairs into {out / 'pairs'}, and {out / 'finetune.yaml'}")


@make.command()
def patients(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder with one folder a patient.")],
    out: Annotated[Path, _NEW],
    files: Annotated[
        list[str], typer.Argument(metavar="KEY=FILE", help="Port key, and the file's name in each patient's folder.")
    ],
    *,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PATIENT", help="This patient alone; may be repeated. [default: all]")
    ] = None,
) -> None:
    """Copy the scans of patients into a folder of cases, and nothing else."""
    from diffuscope.cases.patients import lay_out

    named = dict(text.partition("=")[::2] for text in files)
    number = lay_out(source, out, named, only=only or ())
    typer.echo(f"Copied {', '.join(named)} of {number} patients into {out}")


@make.command()
def card(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.")],
    figures: Annotated[
        list[Path], typer.Argument(metavar="FIGURES.json", help='What benchmarks wrote: {"figures": {name: number}}.')
    ],
) -> None:
    """Put what benchmarks measured on a model's card, in place of the figures there."""
    from diffuscope.model.folder import set_figures

    measured: dict[str, float] = {}
    for file in figures:
        try:
            measured |= json.loads(file.read_text(encoding="utf-8"))["figures"]
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} holds no figures: write it with a benchmark's --json.") from error
    set_figures(model, measured)
    typer.echo(f"Wrote the card of {model}")


@make.command("qupath-script")
def qupath_script(
    out: Annotated[Path, typer.Argument(metavar="FILE.groovy", help="The script to write.")],
    *,
    model: Annotated[str, typer.Option(metavar="MODEL", help="Name or folder of the model that it runs.")],
    results: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where results are kept. [default: beside the script]")
    ] = None,
) -> None:
    """Write a script for QuPath that runs a model where an annotation is selected, and imports what it counted."""
    from diffuscope.exports.qupath.script import run_script
    from diffuscope.files.place import FILE, check_place
    from diffuscope.files.put import in_place_of
    from diffuscope.model.find import model_info

    if out.suffix != ".groovy":
        raise InputError(f"{out.name} would be no script of QuPath: end it with .groovy.")
    info = model_info(model)
    check_place(out, FILE, way_out="choose another name")
    named = str(Path(model).resolve()) if Path(model).is_dir() else info.name
    folder = (results or out.parent / "diffuscope-results").resolve()
    text = run_script([sys.executable, "-m", "diffuscope"], named, folder)
    with in_place_of(out, replace=False) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {out}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
