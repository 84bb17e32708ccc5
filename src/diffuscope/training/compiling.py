"""Compiled networks in training: each part before the first step, as long as compiling takes no more than it gives."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from diffuscope.networks.compiled import compile_parts, run_plain
from diffuscope.training.module import Training
from diffuscope.training.recipe import Optimisation

# A compiled step takes half the time or less, and compiling as long as this many plain steps.
_PAYS = 1000
# When to begin with no further part, s.
_LIMIT = 45.0


def pays(plan: Optimisation, *, done: int, device: torch.device, devices: int) -> bool:
    """Return whether to compile: what the plan says, else for many steps to come on one CUDA device.

    Parameters
    ----------
    plan : Optimisation
        Its `compile` and `steps`.
    done : int
        Steps that were done before.
    device : torch.device
        Where to train.
    devices : int
        How many share the work.
    """
    if plan.compile is not None:
        return plan.compile
    return device.type == "cuda" and devices == 1 and plan.steps - done >= _PAYS


class Compile(Callback):
    """Compiles the system's parts before the first step, one after the other, and undoes it after the last.

    Each part is tried on a batch, forth and back: what cannot be compiled then runs plain, and a training never ends
    for it. The copy that is averaged stays plain: it is evaluated rarely, and for other shapes.

    Parameters
    ----------
    module : Training
        What is trained.
    threads : int
        Processes that compile.
    report : callable
        Gets sentences: how long it took, and what failed.
    """

    def __init__(self, module: Training, *, threads: int, report: Callable[[str], None]) -> None:
        self._module, self._threads, self._report = module, threads, report
        self._parts = module.system.compiled_parts()

    def on_train_start(self, trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Compile part by part."""
        # Here, not above: it takes a second that those who never compile need not wait for.
        from torch._inductor import config

        begin, done = monotonic(), 0
        with config.patch(compile_threads=self._threads):
            for part in self._parts:
                if monotonic() - begin > _LIMIT:
                    break
                compile_parts([part], report=self._report)
                done += self._works(trainer, part)
        self._report(f"{done} of {len(self._parts)} parts of the network were compiled in {monotonic() - begin:.0f} s.")

    def on_train_end(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        """Leave the system as it was: what follows evaluates it a few times, in another mode."""
        run_plain(self._parts)

    def on_exception(self, _trainer: pl.Trainer, _module: pl.LightningModule, _error: BaseException) -> None:
        """As at the end."""
        run_plain(self._parts)

    def _works(self, trainer: pl.Trainer, part: torch.nn.Module) -> bool:
        """Try a step without consequences; a part with which it fails runs plain."""
        module = self._module
        kept = [buffer.clone() for buffer in module.system.buffers()]
        batch = {key: value.to(module.device) for key, value in module.data.batch_at(0).items()}
        try:
            with trainer.precision_plugin.forward_context():
                loss = module.loss_of(batch, 0)
            loss.backward()
        except Exception as error:  # noqa: BLE001  compilers fail in many ways, and the plain network still trains
            run_plain([part])
            lines = str(error).strip().splitlines() or [""]
            self._report(f"A part of the network trains plain, for it cannot be compiled here: {lines[0]}")
            return False
        finally:
            module.terms = {}
            module.system.zero_grad(set_to_none=True)
            with torch.no_grad():
                for buffer, before in zip(module.system.buffers(), kept, strict=True):
                    buffer.copy_(before)
        return True
