"""One writer a folder: of processes at once, killed ones, and ones that fell silent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from patience import SECONDS

from diffuscope.errors import InputError
from diffuscope.files import claim as claims
from diffuscope.files.claim import HELD, STALE, Claim, check_free
from diffuscope.files.holder import Holder
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of, put_text, remove

_SPAWN = multiprocessing.get_context("spawn")


def hold(folder: Path) -> subprocess.Popen[bytes]:
    """Return a process that holds a folder until it is killed."""
    code = (
        "import sys, time; from pathlib import Path; from diffuscope.files.claim import Claim\n"
        "with Claim(Path(sys.argv[1])) as claim:\n"
        "    claim.take(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    return child


def test_the_second_is_told_who_holds_and_since_when_and_the_next_goes_on_after_a_kill(tmp_path: Path) -> None:
    child = hold(tmp_path)
    try:
        sentence = (
            rf"being written by process {child.pid} of .+ on .+, since 20\d\d-\d\d-\d\d \d\d:\d\d: wait for its end"
        )
        with pytest.raises(InputError, match=sentence), Claim(tmp_path) as claim:
            claim.take(tmp_path)
        with pytest.raises(InputError, match=sentence):
            check_free(tmp_path)
        for options in ({"overwrite": True}, {"resume": True}):
            with pytest.raises(InputError, match=sentence):
                check_place(tmp_path, FOLDER, **options)
        with pytest.raises(InputError, match=sentence), in_place_of(tmp_path, replace=True) as part:
            part.mkdir()
        with pytest.raises(InputError, match=sentence):
            remove(tmp_path)
        # Stopped, not ended: it may wake up.
        child.send_signal(signal.SIGSTOP)
        os.utime(next((tmp_path / HELD).iterdir()), (0, 0))
        with pytest.raises(InputError, match=sentence):
            check_free(tmp_path)
    finally:
        child.kill()
    # Not waited for: a process that ended and that nobody asks about is no more alive than others.
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            check_free(tmp_path)
            break
        except InputError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with Claim(tmp_path) as claim:
        claim.take(tmp_path)
        claim.check()
    child.wait()
    assert not list(tmp_path.iterdir())


def elsewhere(folder: Path, *, silent: float) -> Path:
    """Leave what a process on another machine left, that gave its last sign of life so many seconds ago."""
    (folder / HELD).mkdir()
    file = folder / HELD / "0123"
    replace(Holder.this(), machine="another", host="ward7").write(file)
    os.utime(file, (time.time() - silent,) * 2)
    return file


@pytest.mark.parametrize(("silent", "lives"), [(0, True), (STALE - 20, True), (STALE + 20, False), (-1e6, False)])
def test_a_process_elsewhere_lives_while_it_gives_signs_of_life(tmp_path: Path, silent: float, lives: bool) -> None:
    elsewhere(tmp_path, silent=silent)
    with Claim(tmp_path) as claim:
        if lives:
            with pytest.raises(InputError, match=r"on ward7, since .*wait for its end, or 2 minutes if it is gone"):
                claim.take(tmp_path)
        else:
            claim.take(tmp_path)
            claim.check()


def test_signs_of_life_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with Claim(tmp_path) as claim:
        claim.take(tmp_path)
        [file] = (tmp_path / HELD).iterdir()
        os.utime(file, (0, 0))
        deadline = time.monotonic() + SECONDS
        while file.stat().st_mtime < time.time() - 60:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_who_was_taken_for_gone_writes_nothing_more(tmp_path: Path) -> None:
    with Claim(tmp_path) as sleeper:
        sleeper.take(tmp_path)
        next((tmp_path / HELD).iterdir()).unlink()  # as another machine would
        with Claim(tmp_path) as next_one:
            next_one.take(tmp_path)
            with pytest.raises(InputError, match="taken over by another process"):
                sleeper.check()
            next_one.check()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"process": "x"}', b'{"process": 1e999}', b"\xff" * 50])
def test_what_cannot_be_read_is_judged_by_its_age(tmp_path: Path, content: bytes) -> None:
    file = elsewhere(tmp_path, silent=0)
    file.write_bytes(content)
    with pytest.raises(InputError, match="written by another process: "):
        check_free(tmp_path)
    os.utime(file, (0, 0))
    check_free(tmp_path)


def test_links_of_a_stranger_are_not_followed(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    (mine / "letter").write_text("mine")
    (theirs / HELD).symlink_to(mine)
    with pytest.raises(InputError, match="has a link in it"), Claim(theirs) as claim:
        claim.take(theirs)
    assert (mine / "letter").read_text() == "mine"
    assert [file.name for file in theirs.iterdir()] == [HELD]


def test_a_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    here = Holder.this()
    assert here.lives
    if here.born:
        assert replace(here, born="1").lives is False
    assert replace(here, machine="another").lives is None


def test_a_new_folder_is_held_from_before_it_is_there(tmp_path: Path) -> None:
    with Claim(tmp_path / "out") as claim:
        with in_place_of(tmp_path / "out", replace=False, claim=claim) as part:
            part.mkdir()
        with pytest.raises(InputError, match="is being written by"):
            check_free(tmp_path / "out")
        claim.check()
        remove(tmp_path / "out", claim)
        assert not claim.holds
    assert not list(tmp_path.iterdir())


def _add(folder: Path, times: int) -> None:
    """Add to a number that only one process at once may; now and then end without letting go."""
    for _ in range(times):
        claim = Claim(folder)
        while True:
            try:
                claim.take(folder)
                break
            except InputError:
                time.sleep(0.001)
        number = int((folder / "number").read_text())
        time.sleep(0.002)
        (folder / "number").write_text(str(number + 1))
        if times == 1:
            os._exit(0)
        claim.__exit__()


@pytest.mark.slow
def test_of_many_at_once_one_writes(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    jobs = [_SPAWN.Process(target=_add, args=(tmp_path, times)) for times in (30, 30, 30, *[1] * 6)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(SECONDS)
        assert job.exitcode == 0
    assert (tmp_path / "number").read_text() == str(3 * 30 + 6)
    with Claim(tmp_path) as claim:
        claim.take(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["number"]


def _begin(folder: Path, name: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        with in_place_of(folder / "out", replace=False) as part:
            part.mkdir()
            (part / "by").write_text(name)
        put_text(folder / f"{name}-won", "", replace=False)
    except InputError:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True])
def test_of_two_that_begin_at_once_one_begins_and_nothing_of_it_is_lost(tmp_path: Path, empty: bool) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        (folder / "out" if empty else folder).mkdir(parents=True)
        barrier = _SPAWN.Barrier(2)
        jobs = [_SPAWN.Process(target=_begin, args=(folder, name, barrier)) for name in "ab"]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join(SECONDS)
        [won] = [name for name in "ab" if (folder / f"{name}-won").exists()]
        assert (folder / "out" / "by").read_text() == won
        assert sorted(file.name for file in folder.iterdir()) == [f"{won}-won", "out"]
