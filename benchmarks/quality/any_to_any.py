"""What a trained any-to-any-demo makes of simulated patients whom no training saw: reports, contrasts, CT, X-ray.

Truth and patients are simulated, and read by readers that no training made (docs/simulation-thorax.md). Beside each
figure stands what needs no flow: report and images of another patient of the same region, the mean picture of the
region, and of 2,000 reports of others the one whose aligned vector is nearest to the image's; and what no model can
pass: the true image, and the true image or report as the autoencoders alone give it back, read likewise. How far a
denoiser listens: its error near pure noise with what is the patient's own, with that of another patient of the same
region, and with nothing; of reports also the error of one who knows every finding, but not the words that were chosen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.figures import Goal
from diffuscope import load_model
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.evaluation.metrics.items import matched
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.evaluation.metrics.texts import bleu, rouge_l
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Written
from diffuscope.simulation.thorax_brain import REGIONS, REPORT, Subject, read_image, read_report, simulate
from diffuscope.simulation.thorax_brain.reports.write import reports, write_report
from diffuscope.systems.base import Whole
from diffuscope.systems.medm2g.config import TEXT
from diffuscope.systems.medm2g.declare import DRAFTS
from diffuscope.systems.medm2g.guide import Source
from diffuscope.systems.medm2g.system import MedM2G
from diffuscope.systems.medm2g.text.side import TextSide

T = TypeVar("T")
#: Of the training's cohort is seed 1.
SEED, NUMBER = 2, 40
#: What is made of what.
SYNTHESIS = {
    "t1_from_t2_pd": ("t1", ("t2", "pd")),
    "t2_from_t1_pd": ("t2", ("t1", "pd")),
    "ct_from_t1_t2": ("ct", ("t1", "t2")),
    "ct_from_fast_t1_t2": ("ct", ("t1_fast", "t2_fast")),
    "xray_from_ct": ("xray", ("ct",)),
}
FROM = ("ct", "t1ce", "xray")
#: What is made, and by what it is told.
HEARD = (("ct", REPORT), ("xray", REPORT), (REPORT, "ct"), ("t1", "ct"), ("ct", "t1"))
#: What is made of the report alone, or of the X-ray, and read.
WRITTEN = ("ct", "t1ce", "t2", "xray")
GOALS = {"seconds_all_from_text": Goal(high=30.0)}
_CT = (-1000.0, 1000.0)
_LATE, _WORDINGS, _KNOWN = 950, 16, 2000


@cache
def patients() -> tuple[Subject, ...]:
    """Return the patients, chest and head in turn."""
    return tuple(simulate(number, seed=SEED, region=REGIONS[number % len(REGIONS)]) for number in range(NUMBER))


def measure(*, model: str = "runs/any-to-any-demo") -> dict[str, float]:
    """Make reports, contrasts and CT of all patients, and hold them against the truth and what needs no model.

    Parameters
    ----------
    model : str
        Name or folder of a model that the recipe any-to-any-demo trained; default where its first lines put it.
    """
    system = load_model(model).system
    assert isinstance(system, MedM2G)
    figures = {
        f"error_of_{key}_by_{by}_{whose}": value
        for key, by in HEARD
        for whose, value in _heard(system, key, by).items()
    }
    figures["error_of_report_by_findings"] = _error_of_words(system)
    for key in FROM:
        for how, options in (("", {}), ("_in_one_draft", {DRAFTS: 1.0})):
            found = [
                _made(system, _given(one, (key,)), (REPORT,), number, options) for number, one in enumerate(patients())
            ]
            read = _texts([_text(one) for one in found])
            figures |= {f"report_from_{key}{how}_{name}": value for name, value in read.items()}
        near = _texts(_nearest(system, key))
        figures |= {f"report_retrieved_from_{key}_{name}": value for name, value in near.items()}
    figures |= {f"report_of_another_{name}": value for name, value in _texts(_others()).items()}
    for name, (key, sources) in SYNTHESIS.items():
        found = [_made(system, _given(one, sources), (key,), number) for number, one in enumerate(patients())]
        pictures = [_picture(one[key]) for one in found]
        figures |= {f"{name}_{what}": value for what, value in _pictures(key, pictures).items()}
    for key in ("t1", "t2", "ct", "xray"):
        figures |= {f"{key}_mean_{what}": value for what, value in _pictures(key, _means(key)).items()}
    figures |= {f"report_kept_{name}": value for name, value in _texts(_kept_reports(system)).items()}
    for key in WRITTEN:
        own = [one.images[key] for one in patients()]
        made = [_picture(_made(system, {REPORT: p.report}, (key,), n)[key]) for n, p in enumerate(patients())]
        read = {"from_report": made, "kept": _kept(system, key), "true": own, "of_another": _next(own)}
        if key != "xray":
            read["from_xray"] = _from_xray(system, key)
        figures |= {f"{key}_{how}_{name}": v for how, those in read.items() for name, v in _read(key, those).items()}
    start = time.perf_counter()
    _made(system, {REPORT: patients()[0].report}, ("ct", "t1", "t2", "xray"), 0)
    return figures | {"seconds_all_from_text": time.perf_counter() - start}


def _from_xray(system: MedM2G, key: str) -> list[NDArray[np.float32]]:
    return [
        _picture(_made(system, _given(one, ("xray",)), (key,), number)[key]) for number, one in enumerate(patients())
    ]


@torch.inference_mode()
def _heard(system: MedM2G, key: str, by: str) -> dict[str, float]:
    """Return the error of the velocity of a key at t = 950 of 1000 with each patient's own of another, another's, none.

    Another's is that of the next patient of the same region.
    """
    prepared = [system.prepare({REPORT: one.report, **_given(one, ("ct", "t1", "xray"))}, None) for one in patients()]
    seen, made = (torch.stack([torch.as_tensor(one[name]) for one in prepared]) for name in (by, key))
    guide, none, first = system.guide, torch.zeros(NUMBER), torch.zeros(NUMBER, dtype=torch.long)
    flow, source = (guide.flow(system.config.modality(name)) for name in (key, by))
    clean = flow.side.encode(made)
    t = torch.full((NUMBER,), _LATE)
    a = guide.alpha_bar[t]
    root = a.view(-1, *(1,) * (clean.ndim - 1))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = root.sqrt() * clean + (1 - root).sqrt() * noise
    latents, modality = source.side.encode(seen), system.config.modality(by)
    drawn = guide.config.draws(system.config.modality(key), modality)
    own = guide.context(Source(modality=modality, latents=latents, time=none, kind=first, x=seen), drawn=drawn)
    step = len(REGIONS)
    another = replace(
        own, tokens=own.tokens.roll(-step, 0), vectors=own.vectors.roll(-step, 0), mask=own.mask.roll(-step, 0)
    )
    contexts = {"own": own, "another": another, "none": None}
    # That of the velocity is that of ε over ᾱ.
    return {
        whose: float(((flow.epsilon(noisy, t, a, first, heard) - noise).square() / root).mean())
        for whose, heard in contexts.items()
    }


@torch.inference_mode()
def _error_of_words(system: MedM2G) -> float:
    """Return the mean variance of a report's latent over what else could be written of the same findings."""
    rng = np.random.default_rng(0)
    said = [write_report(one.findings, rng) for one in patients() for _ in range(_WORDINGS)]
    ids = torch.stack([torch.as_tensor(system.prepare({REPORT: text}, None)[REPORT]) for text in said])
    latents = system.guide.flow(TEXT).side.encode(ids)
    return float(latents.unflatten(0, (NUMBER, _WORDINGS)).var(dim=1).mean())


def _given(patient: Subject, keys: Sequence[str]) -> dict[str, torch.Tensor | str]:
    return {key: torch.from_numpy(patient.images[key])[None] for key in keys}


def _made(
    system: Whole,
    given: Mapping[str, torch.Tensor | str],
    wanted: tuple[str, ...],
    seed: int,
    options: Mapping[str, float] = {},
) -> dict[str, torch.Tensor | Written]:
    """Make what is wanted of one patient, by the default preset."""
    default = next(iter(system.presets.values()))
    settings = SampleSettings(sampler=default.sampler, steps=default.steps, wanted=wanted, options=dict(options))
    steps = system.sample(system.prepare(given, None), CaseNoise(seed), settings)
    with torch.inference_mode():
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: dict[str, torch.Tensor | Written] = end.value
                return found


def _text(found: Mapping[str, torch.Tensor | Written]) -> str:
    written = found[REPORT]
    assert isinstance(written, Written)
    return written.text


def _texts(found: Sequence[str]) -> dict[str, float]:
    truth = [one.report for one in patients()]
    read = [read_report(text) for text in found]
    items = matched([one.findings.items for one in patients()], [one.items for one in read])
    places = matched(
        [[(i.side, i.zone) for i in one.findings.items] for one in patients()],
        [[(i.side, i.zone) for i in one.items] for one in read],
    )
    return {
        "region": float(np.mean([a.region == b.region for a, b in zip(patients(), read, strict=True)])),
        "count": float(np.mean([len(a.findings.items) == len(b.items) for a, b in zip(patients(), read, strict=True)])),
        "f1": items.f1,
        "place_f1": places.f1,
        "bleu4": bleu(truth, found)[3],
        "rouge_l": rouge_l(truth, found),
    }


@torch.inference_mode()
def _nearest(system: MedM2G, key: str) -> list[str]:
    """Return for each patient, of many reports of others, the one whose vector is nearest to that of an image."""
    known = list(reports(_KNOWN, seed=SEED + 100))
    ids = torch.stack([torch.as_tensor(system.prepare({REPORT: text}, None)[REPORT]) for text in known])
    prepared = [torch.as_tensor(system.prepare(_given(one, (key,)), None)[key]) for one in patients()]
    modality = system.config.modality(key)
    kind = torch.full((NUMBER,), system.config.of(modality).index(key))
    text, image = system.guide.flow(TEXT), system.guide.flow(modality)
    both = text.see(ids, torch.zeros(_KNOWN, dtype=torch.long))[0], image.see(torch.stack(prepared), kind)[0]
    a, b = (torch.nn.functional.normalize(one, dim=1) for one in both)
    return [known[int(place)] for place in (b @ a.T).argmax(dim=1)]


def _others() -> list[str]:
    """Return the report of the next patient of the same region."""
    return _next([one.report for one in patients()])


def _next(of: Sequence[T]) -> list[T]:
    """Return of each patient what the next one of the same region has."""
    return [of[(number + len(REGIONS)) % NUMBER] for number in range(NUMBER)]


def _read(key: str, pictures: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Return F1 of the findings that a reader sees in pictures, against the truth; of all, and of their places."""
    both = list(zip(patients(), pictures, strict=True))
    read = [read_image(key, picture, patient.findings.region).items for patient, picture in both]
    truth = [one.findings.items for one in patients()]
    places = ([[(item.side, item.zone) for item in items] for items in those] for those in (truth, read))
    return {"f1": matched(truth, read).f1, "place_f1": matched(*places).f1}


@torch.inference_mode()
def _kept(system: MedM2G, key: str) -> list[NDArray[np.float32]]:
    """Return the pictures as the autoencoder alone gives them back."""
    side = system.guide.flow(system.config.modality(key)).side
    prepared = [torch.as_tensor(system.prepare(_given(one, (key,)), None)[key]) for one in patients()]
    return list(system.pictures({key: side.encode(torch.stack(prepared))})[key][:, 0].numpy())


@torch.inference_mode()
def _kept_reports(system: MedM2G) -> list[str]:
    side = system.guide.flow(TEXT).side
    assert isinstance(side, TextSide)
    ids = [torch.as_tensor(system.prepare({REPORT: one.report}, None)[REPORT]) for one in patients()]
    return [one.text for one in side.write(side.encode(torch.stack(ids)))]


def _pictures(key: str, found: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    low, high = _CT if key == "ct" else (0.0, 1.0)
    both = [(np.clip(one.images[key], low, high), made) for one, made in zip(patients(), found, strict=True)]
    return {
        "psnr_db": float(np.mean([psnr(truth, made, data_range=high - low) for truth, made in both])),
        "ssim": float(np.mean([ssim(truth, made, data_range=high - low) for truth, made in both])),
    }


def _picture(found: torch.Tensor | Written) -> NDArray[np.float32]:
    assert isinstance(found, torch.Tensor)
    return np.asarray(found[0].numpy())


def _means(key: str) -> list[NDArray[np.float32]]:
    """Return the mean picture of the region over two hundred patients of the training's cohort."""
    several = [simulate(number, seed=1, region=REGIONS[number % len(REGIONS)]) for number in range(200)]
    mean = [
        np.mean([one.images[key] for one in several[place :: len(REGIONS)]], axis=0, dtype=np.float32)
        for place in range(len(REGIONS))
    ]
    return [mean[number % len(REGIONS)] for number in range(NUMBER)]
