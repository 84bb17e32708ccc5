"""What a cell of MedM2G's tables finds: all that its row makes of patients who did not train."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

from benchmarks.reproduce.medm2g import cohort, rows, shipped, stages
from benchmarks.reproduce.medm2g.agreement import agreed, confidence
from benchmarks.reproduce.medm2g.controls import Translator, regressed, retrieved
from benchmarks.reproduce.medm2g.directions import IMAGES, JOINT, REPORT, Direction
from benchmarks.reproduce.medm2g.downstream import KEY, read_by
from benchmarks.reproduce.medm2g.eye import eye, labels, looked
from benchmarks.reproduce.medm2g.figures import Measured, Patients, alike, figures, written
from benchmarks.reproduce.medm2g.foundation import ROOT, Foundation
from benchmarks.reproduce.medm2g.modalities import apart
from benchmarks.reproduce.medm2g.networks import Ablated, aligned, built, made, prepared, train
from benchmarks.reproduce.medm2g.supervised import Captioner, Painter
from benchmarks.reproduce.medm2g.tasks import Task
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.medm2g.declare import TOGETHER

#: Of rows whose downstream reader and joint outputs are measured.
_WHOLE = ("medm2g", "ldm", rows.SHIPPED.name)
#: Of the row whose MRI knows CT alone, how many times as many patients test.
_MANY = 4
_MODALITIES = {"ct": "ct", "mri": "t2", "xray": "xray"}


def measure(task: Task, folder: Path) -> dict[str, Any]:
    """Train a row, and measure what it makes.

    Returns
    -------
    dict
        ``directions``: by direction and key what `figures` finds; of systems ``joint``, ``apart``, ``probe`` and
        ``downstream``; ``confidence`` of reports; ``seconds``, ``training`` (those of its own rounds, and of round 0),
        ``parameters`` and ``added``, those that train beside the latent diffusion models.
    """
    start = time.monotonic()
    against = _against(task)
    kinds = {
        rows.SYSTEM: _system,
        rows.SINGLE: _single,
        rows.SUPERVISED: _supervised,
        rows.RETRIEVAL: _retrieval,
        rows.TRUTH: _truth,
        rows.SHIPS: _shipped,
        rows.ALIGNED: _aligned,
        rows.BRIDGED: _bridged,
    }
    found = kinds[task.row.kind](task, against, folder)
    return found | {"seconds": time.monotonic() - start}


def _against(task: Task) -> Measured:
    budget = task.budget
    reader = eye(ROOT, steps=budget.reading, patients=budget.others, seed=cohort.OTHERS)
    return Measured(
        test=cohort.simulated(budget.tests, seed=cohort.TESTS),
        train=cohort.simulated(budget.patients, seed=cohort.TRAINS + task.seed),
        see=lambda key, pictures: looked(reader, key, pictures)[0],
        denormalise=cohort.denormalised,
    )


def _truth(task: Task, against: Measured, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Return what the readers find in true images and reports, and how far other true ones are in the same figures."""
    test, train = against.test, against.train
    other = train.some(range(len(test)))
    found: dict[str, Any] = {}
    for key in (REPORT, *IMAGES):
        own = figures(key, _of(test, key), against)
        # Of all together only what is not trivial of the same images: those of other patients.
        own["set"] |= (
            written(_of(other, key), against)["set"] if key == REPORT else alike(key, _of(other, key), against)
        )
        found[Direction((key,), (key,)).name] = {key: own}
    few, pairs = train.some(range(task.budget.few)), train.some(range(task.budget.few, len(train)))
    asked = {"test": test, "steps": task.budget.reading, "seed": task.seed}
    real = (pairs.images[KEY][: task.budget.generated], labels(pairs.findings)[: task.budget.generated])
    reader = {"few": read_by(few, None, **asked), "real": read_by(few, real, **asked)}
    return {"directions": found, "downstream": reader, "parameters": 0}


def _retrieval(task: Task, against: Measured, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    keys = cohort.paired(len(against.train))
    found = {}
    for one in task.row.asked:
        both = [i for i, own in enumerate(keys) if {*one.given, *one.made} <= set(own)]
        found[one.name] = _figures(
            one, {one.made[0]: retrieved(one, against.train.some(both), against.test, against.see)}, against
        )
    return {"directions": found, "parameters": 0}


def _supervised(task: Task, against: Measured, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    steps, train, test = task.budget.steps, against.train, against.test
    keys = cohort.paired(len(train))
    found, parameters = {}, 0
    for number, one in enumerate(task.row.asked):
        both = [i for i, own in enumerate(keys) if {*one.given, *one.made} <= set(own)]
        # Of pairs that nobody has who trained MedM2G it gets some of its own.
        some = train.some(both or range(len(train) // 3))
        torch.manual_seed(task.seed)
        asked = {"steps": steps.cross, "batch": steps.pair, "seed": 1000 * task.seed + number}
        if one.given == (REPORT,):
            painter = Painter(_with_text(task, against))
            latents, wishes = (painter.latents(who.reports) for who in (some, test))
            regressed(latents, some.images[one.made[0]][:, None], painter, **asked)
            with torch.inference_mode():
                result: Any = painter(torch.from_numpy(wishes))[:, 0].numpy()
            parameters += sum(each.numel() for each in painter.parameters())
            found[one.name] = _figures(one, {one.made[0]: result}, against)
            continue
        inputs, own = (np.stack([who.images[key] for key in one.given], axis=1) for who in (some, test))
        if one.made == (REPORT,):
            captioner = Captioner(_with_text(task, against), len(one.given))
            regressed(inputs, captioner.targets(some.reports), captioner.network, **asked)
            result = captioner.write(own)
            parameters += sum(each.numel() for each in captioner.network.parameters())
        else:
            network = Translator(len(one.given))
            regressed(inputs, some.images[one.made[0]][:, None], network, **asked)
            with torch.inference_mode():
                result = network(torch.from_numpy(own))[:, 0].numpy()
            parameters += sum(each.numel() for each in network.parameters())
        found[one.name] = _figures(one, {one.made[0]: result}, against)
    return {"directions": found, "parameters": parameters}


def _with_text(task: Task, against: Measured) -> Ablated:
    """Return a system whose autoencoder of the text is trained: that of the model that ships, or of round 0."""
    return shipped.system() if task.budget.ships else Foundation(task, against.train).system()


def _shipped(task: Task, against: Measured, folder: Path) -> dict[str, Any]:  # noqa: ARG001
    system = shipped.system()
    # copies are looked for among those who trained it
    own = replace(against, train=cohort.simulated(task.budget.known, seed=shipped.SEED))
    return _sampled(task, system, own) | _of_all(task, system, against)


def _bridged(task: Task, against: Measured, folder: Path) -> dict[str, Any]:
    """Return what MRI shows of an X-ray or a report where it has learned to hear CT alone, which has heard both.

    What the denoiser of MRI hears by begins as it is built and trains as long as a row does in all; the rest stays as
    it ships.
    """
    system, steps = _with_text(task, against), task.budget.steps
    fresh = built(system.config.model_dump(mode="json"), seed=task.seed)
    for own, new in zip(system.parts()["cross-mri"], fresh.parts()["cross-mri"], strict=True):
        own.load_state_dict(new.state_dict())
    stage = stages.Stage("cross-ct-mri", ("cross-mri",), len(stages.CROSSED) * steps.cross, steps.rate, steps.pair)
    cases = prepared(system, against.train, keys=cohort.paired(len(against.train)))
    train(system, cases, [stage], folder=folder, seed=task.seed)
    # What is above chance here is little, and patients are cheap.
    many = replace(against, test=cohort.simulated(_MANY * len(against.test), seed=cohort.TESTS))
    found = {one.name: _made(task, system, one, many)[0] for one in task.row.asked}
    return {"directions": found, "parameters": sum(_sizes(system).values())}


def _aligned(task: Task, against: Measured, folder: Path) -> dict[str, Any]:
    """Return what alignment alone, without any flow, makes of prompt encoders."""
    row, steps = task.row, task.budget.steps
    stated = shipped.stated() if task.budget.ships else Foundation(task, against.train).stated
    configuration = cohort.configuration(stated, invariant=row.invariant)
    system = built(configuration, seed=task.seed, align=row.align)
    cases = prepared(system, against.train, keys=cohort.paired(len(against.train)))
    own = [stage for stage in stages.own(row, steps) if stage.objective.startswith("align")]
    train(system, cases, own, folder=folder, seed=task.seed)
    return {"directions": {}, "probe": _probe(system, against), "parameters": 0}


def _single(task: Task, against: Measured, folder: Path) -> dict[str, Any]:
    """Return what latent diffusion models of one task each make: from round 0, the pair of that task and no other."""
    found, seconds, parameters = {}, 0.0, 0
    for one in task.row.asked:
        system = Foundation(task, against.train).system(context=task.row.context, places=False)
        cases = prepared(system, against.train, keys=cohort.paired(len(against.train)))
        a, b = (cohort.modality(keys[0]) for keys in (one.made, one.given))
        pair = next(pair for pair in stages.CROSSED if set(pair) == {a, b})
        parts = ("embedding", f"cross-{a}", f"prompt-{b}")
        steps = task.budget.steps
        stage = stages.Stage(f"cross-{'-'.join(pair)}", parts, steps.cross, steps.rate, steps.pair)
        own = folder / one.name.replace(">", "-to-")
        own.mkdir(exist_ok=True)
        train(system, cases, [stage], folder=own, seed=task.seed)
        seconds += sum(json.loads((own / "seconds.json").read_text()).values())
        parameters += sum(one.numel() for part in parts for each in system.parts()[part] for one in each.parameters())
        found[one.name] = _made(task, system, one, against)[0]
    return {"directions": found, "training": {"own": seconds}, "parameters": parameters}


def _system(task: Task, against: Measured, folder: Path) -> dict[str, Any]:
    row, steps = task.row, task.budget.steps
    foundation = Foundation(task, against.train)
    system = foundation.system(context=row.context, align=row.align, invariant=row.invariant, places=row.places)
    cases = prepared(system, against.train, keys=cohort.paired(len(against.train)))
    own = list(stages.own(row, steps))
    train(system, cases, own, folder=folder, seed=task.seed)
    seconds = json.loads((folder / "seconds.json").read_text())
    added = {part for stage in own for part in stage.train} - {f"cross-{one}" for one in stages.MODALITIES}
    count = _sizes(system)
    return {
        **_sampled(task, system, against),
        **_of_all(task, system, against),
        "training": {
            "own": sum(seconds.values()),
            "steps": sum(stage.steps for stage in own),
            "an_epoch": task.budget.patients / steps.batch,
            **foundation.seconds(),
        },
        "added": sum(count[part] for part in added),
    }


def _sampled(task: Task, system: Ablated, against: Measured) -> dict[str, Any]:
    """Return figures of each direction, and how sure reports are."""
    found: dict[str, Any] = {"directions": {}, "confidence": {}}
    for one in task.row.asked:
        found["directions"][one.name], outputs = _made(task, system, one, against)
        if one.made == (REPORT,):
            texts = [text.tokens for text in outputs[REPORT]]
            found["confidence"][one.name] = confidence(texts, against.test.findings)
    return found


def _of_all(task: Task, system: Ablated, against: Measured) -> dict[str, Any]:
    """Return what is measured of no direction: how modalities lie, joint outputs, the downstream reader, the size."""
    found: dict[str, Any] = {"probe": _probe(system, against), "parameters": sum(_sizes(system).values())}
    if task.row.name in _WHOLE:
        found |= _together(task, system, against)
        found["downstream"] = _downstream(task, system, against)
    return found


def _sizes(system: Ablated) -> dict[str, int]:
    return {
        part: sum(one.numel() for module in modules for one in module.parameters())
        for part, modules in system.parts().items()
    }


def _made(task: Task, system: Ablated, one: Direction, against: Measured) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return figures of a direction, and what was made."""
    test = prepared(system, against.test)
    settings = SampleSettings(sampler="ddim", steps=task.budget.sampling)
    given = {key: test[key] for key in one.given}
    if one.by:
        third = made(system, given, (one.by,), settings, seed=_seed(task, f"{one.name}, {one.by}"))
        given = {one.by: 2 * torch.from_numpy(np.asarray(third[one.by]))[:, None] - 1}
    outputs = made(system, given, one.made, settings, seed=_seed(task, one.name))
    return _figures(one, outputs, against), outputs


def _figures(one: Direction, outputs: Mapping[str, Any], against: Measured) -> dict[str, Any]:
    texts = {key: [str(getattr(text, "text", text)) for text in outputs[key]] for key in one.made if key == REPORT}
    return {key: figures(key, texts.get(key, outputs[key]), against) for key in one.made}


def _together(task: Task, system: Ablated, against: Measured) -> dict[str, Any]:
    """Return how far images agree that were made at once, and each in a run of its own."""
    settings = SampleSettings(sampler="ddim", steps=task.budget.sampling)
    together = replace(settings, options={TOGETHER: 1.0})
    test = prepared(system, against.test)
    found: dict[str, Any] = {"joint": {}, "apart": {}}
    for one in JOINT:
        given = {key: test[key] for key in one.given}
        asked: dict[str, Any] = {"number": len(against.test)}
        at_once = made(system, given, one.made, together, seed=_seed(task, "joint"), **asked)
        alone: dict[str, Any] = {}
        for key in one.made:
            alone |= made(system, given, (key,), settings, seed=_seed(task, f"alone {key}"), **asked)
        found["joint"][one.name], found["apart"][one.name] = agreed(at_once, against), agreed(alone, against)
    return found


def _probe(system: Ablated, against: Measured) -> dict[str, Any]:
    test = prepared(system, against.test)
    features = {name: aligned(system, test, key) for name, key in _MODALITIES.items()}
    texts = aligned(system, test, REPORT)
    return apart(features, labels(against.test.findings)) | {"own report": _own_first(features["ct"], texts)}


def _own_first(images: Any, texts: Any) -> float:
    """Return of how many patients the own report is the nearest of all test patients' to their image."""
    return float(np.mean((images @ texts.T).argmax(axis=1) == np.arange(len(texts))))


def _downstream(task: Task, system: Ablated, against: Measured) -> dict[str, Any]:
    budget = task.budget
    # Reports of patients of nobody else: their words are free, their images are not there.
    wishes = cohort.simulated(budget.generated, seed=cohort.WISHES + task.seed)
    settings = SampleSettings(sampler="ddim", steps=budget.sampling)
    given = {REPORT: prepared(system, wishes)[REPORT]}
    pictures = made(system, given, (KEY,), settings, seed=_seed(task, "downstream"))[KEY]
    few = against.train.some(range(budget.few))
    pairs = (np.asarray(pictures), labels(wishes.findings))
    return {"generated": read_by(few, pairs, against.test, steps=budget.reading, seed=task.seed)}


def _seed(task: Task, name: str) -> int:
    return crc32(name.encode()) + 10_007 * task.seed


def _of(patients: Patients, key: str) -> Any:
    return list(patients.reports) if key == REPORT else patients.images[key]
