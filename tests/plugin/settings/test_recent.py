"""The results that were made last are listed, the newest first, for as long as they are there."""

from __future__ import annotations

from pathlib import Path

from diffuscope.plugin.settings import recent


def test_the_newest_comes_first_once_and_what_is_gone_is_left_out(tmp_path: Path):
    assert recent.recent() == []
    folders = [tmp_path / f"{number}.ome.zarr" for number in range(recent.MOST + 2)]
    for folder in folders:
        folder.mkdir()
        recent.note(folder)
    assert recent.recent() == folders[:1:-1]
    recent.note(folders[5])
    assert recent.recent()[0] == folders[5] and len(recent.recent()) == recent.MOST
    folders[5].rmdir()
    assert folders[5] not in recent.recent()
    recent.recent_file().write_text("no list")
    assert recent.recent() == []
