"""What ends a process from outside ends it as Ctrl-C does, and nothing half is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import SECONDS

CODE = """
import signal, sys, time
from pathlib import Path
from diffuscope.cli.interrupt import interrupted_from_outside
from diffuscope.files.put import in_place_of
# Said either way: what runs the tests in the background may ignore Ctrl-C, and a child inherits that.
signal.signal(signal.SIGINT, signal.SIG_IGN if sys.argv[3] == "ignores" else signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with interrupted_from_outside(), in_place_of(Path(sys.argv[1]), replace=False) as part:
        part.mkdir()
        (part / "half").write_text("x")
        signal.raise_signal(signal.SIGHUP)  # as nohup has it
        signal.raise_signal(getattr(signal, sys.argv[2]))
        time.sleep(1)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(("name", "ctrl_c"), [("SIGTERM", "heeds"), ("SIGTERM", "ignores"), ("SIGINT", "heeds")])
def test_what_ends_a_process_leaves_nothing_half(tmp_path: Path, name: str, ctrl_c: str) -> None:
    line = [sys.executable, "-c", CODE, str(tmp_path / "out"), name, ctrl_c]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=SECONDS)
    assert done.stdout == "interrupted True\n"
    assert not list(tmp_path.iterdir())
