"""Where to compute, and how exactly: devices and precision by what the machine has."""

from __future__ import annotations

import ctypes
import platform
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any, Literal

from diffuscope.errors import InputError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
# Drivers without which there is no device "cuda": NVIDIA's, on Windows too, and AMD's.
_CUDA = ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so")

# malloc.h of glibc: results up to this size come from memory that is kept.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT, _GLIBC_DEFAULT = 2**30, 2**17

# The first kernel that failed, see `by_kernel`.
_BROKEN: list[str] = []


def likely_devices() -> tuple[str, ...]:
    """Return those of `DEVICES` that this machine may have, as its drivers and the build of PyTorch tell.

    Torch is not imported: a list to choose from needs to be there at once, and `pick_device` has the last word.
    """
    has_gpu = not metadata.version("torch").endswith("+cpu") and any(map(_loads, _CUDA))
    is_there = {"cuda": has_gpu, "mps": sys.platform == "darwin" and platform.machine() == "arm64"}
    return tuple(name for name in DEVICES if is_there.get(name, True))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of a name; ``"auto"`` takes CUDA, then MPS, then the CPU.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        What the user asked for.

    Returns
    -------
    torch.device

    Raises
    ------
    InputError
        There is no such device in this machine, or no device of this name at all.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, available in there.items() if available))
    if name not in there:
        raise InputError(f'there is no device "{name}": choose one of {", ".join(DEVICES)}.')
    if not there[name]:
        raise InputError(f"{name.upper()} was asked for, but PyTorch finds none here: choose another, as auto or CPU.")
    return torch.device(name)


def pick_devices(number: int | str) -> list[torch.device]:
    """Return several GPUs of this machine.

    Parameters
    ----------
    number : int or "all"
        How many.

    Raises
    ------
    InputError
        There are not so many, or it is no number.
    """
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    try:
        wanted = there if number == "all" else int(number)
    except ValueError:
        raise InputError(f'devices must be a number or "all", got {number}.') from None
    if not 1 <= wanted <= there:
        found = "no GPU" if not there else f"{there} GPU{'s' if there > 1 else ''}"
        raise InputError(
            f"{number} GPUs were asked for, but PyTorch finds {found} here: ask for fewer, or leave it out."
        )
    return [torch.device("cuda", index) for index in range(wanted)]


def pick_precision(device: torch.device) -> Literal["bf16", "fp32"]:
    """Return ``"bf16"`` where the device computes it in hardware (autocast is then faster), else ``"fp32"``.

    On a CPU that means AMX, or AVX512-BF16 that is not Intel's: U-Nets run there 2.5 times as fast as in fp32. Without
    either bf16 is slower; so it is on Intel's cores without AMX (or where a virtual machine hides it), which compute a
    bf16 product no faster than they do two of float32: an evaluation of the shipped U-Net takes 1.45 times as long.
    """
    import torch

    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        has = torch.cpu.get_capabilities()
        intel = "intel" in str(has.get("cpu_name", "")).lower()
        fast = bool(has.get("amx_bf16") or (has.get("avx512_bf16") and not intel))
    else:
        fast = False
    return "bf16" if fast else "fp32"


def by_kernel(module: str, name: str, twin: Callable[..., Any], x: torch.Tensor, *given: Any) -> Any:
    """Run a Triton kernel where x lies on CUDA; elsewhere, and where kernels do not run here, its twin in PyTorch.

    Triton may be missing, or lack a C compiler, or not know the GPU: that is warned of once, and no result hangs on it.

    Parameters
    ----------
    module, name : str
        Of the function that launches the kernel; imported where it is needed.
    twin : callable
        Computes the same.
    x : Tensor
        First argument of both, of the device to compute on, which need not be the current one.
    *given
        Their other arguments.
    """
    import torch

    if x.is_cuda and not _BROKEN:
        try:
            with torch.cuda.device_of(x):
                return getattr(import_module(module), name)(x, *given)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever is missing, PyTorch alone can do it
            _BROKEN.append(name)
            lines = str(error).strip().splitlines() or [""]
            warnings.warn(
                f"Triton's kernels do not run here, PyTorch's do, more slowly ({type(error).__name__}: {lines[0]}).",
                stacklevel=2,
            )
    return twin(x, *given)


@contextmanager
def threads(number: int) -> Generator[None, None, None]:
    """Compute with this many CPU threads, on which the last bits depend; afterwards with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def flushed_denormals() -> Generator[None, None, None]:
    """Take numbers below 1e-38 for zero: weights that underflow slow a CPU tenfold, and no gradient needs them.

    Only for as long as the context lasts: it is a state of the thread, which other code does not expect.
    """
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def reused_memory() -> Generator[None, None, None]:
    """Keep in this process what tensors free, for as long as the context lasts (glibc; elsewhere nothing is done).

    Results of some MB are otherwise given back to the system after every operation, and each page of the next one
    is faulted in anew: that took 15–25 % of a U-Net's time (tiles of 288² and 544² px, bf16).
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    libc.mallopt(_M_MMAP_THRESHOLD, _KEPT)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_THRESHOLD, _GLIBC_DEFAULT)
        libc.mallopt(_M_TRIM_THRESHOLD, _GLIBC_DEFAULT)
        libc.malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of any device, was too small."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # PyTorch's CPU and MPS allocators raise plain RuntimeErrors.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
