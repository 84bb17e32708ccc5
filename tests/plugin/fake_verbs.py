"""Commands for a child process without torch: what goes wrong on purpose, and a clock that counts."""

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
    time.sleep(120)
