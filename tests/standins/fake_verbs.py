"""Commands for a child process without torch: what goes wrong on purpose, a clock that counts, runs of no network.

What only a run needs is imported there: most of what is tried needs nothing, and a child is at work at once.
"""

from __future__ import annotations

import os
import sys
import time

from diffuscope.errors import InputError


def count(*, cancelled, upto):
    for number in range(upto):
        if cancelled():
            return "cancelled"
        yield number
        time.sleep(0.01)
    return "counted"


def about(*, cancelled):
    main = sys.modules["__mp_main__"] if "__mp_main__" in sys.modules else sys.modules["__main__"]
    yield {"pid": os.getpid(), "main": getattr(main, "__file__", None), "modules": sorted(sys.modules)}


def looked_at(*, cancelled):
    yield cancelled.focus()


def refuse(*, cancelled):
    raise InputError("slide.svs is a text file: give a slide.")
    yield


def stumble(*, cancelled):
    yield "begun"
    raise ZeroDivisionError("one\ntwo")


def crash(*, cancelled):
    yield "begun"
    os._exit(9)


def ignore_cancel(*, cancelled):
    yield "begun"
    time.sleep(1e6)


def run(*, cancelled, model, out, **_):
    """A run of four tiles without a network, of one of `fake_models.MODELS`."""
    from dataclasses import replace

    import numpy as np

    from diffuscope.engine.events import Finished, Started, TileDone
    from diffuscope.ports.raster import Raster
    from diffuscope.results.canvas import Canvas
    from diffuscope.tiling.plan import make_plan

    plan = make_plan(shape=(512, 512), factors=(1.0, 1.0), tile=288, overlap=32)
    port = Raster(name="virtual", key="rgb", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
    canvas = Canvas(
        out,
        plan=replace(plan, spacing=(0.5, 0.5)),
        ports=(port,),
        record={"command": "", "inputs": {"he": {"mpp_stated": 0.5}}},
    )
    yield Started(out=str(out), tiles=plan.count)
    for tile in plan.tiles():
        while model == "endless" and not cancelled():
            time.sleep(0.01)
        if model == "crashing":
            os._exit(9)
        if cancelled():
            break
        box = canvas.write_tile(tile, {"rgb": np.full((3, 288, 288), 100, np.float32)})
        yield TileDone(done=canvas.count, tiles=plan.count, box=box, seconds=1.0)
    complete = canvas.finish()
    yield Finished(out=str(out), complete=complete, done=canvas.count, tiles=plan.count, seconds=1.0)
