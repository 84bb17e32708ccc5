"""Model folders: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from diffuscope.errors import InputError
from diffuscope.model.folder import WEIGHTS, load_model, save_model, set_figures, set_seen
from diffuscope.model.readme import readme
from diffuscope.ports.seen import Seen
from diffuscope.systems.registry import build_system

CONFIG = {"stain": "CD3", "size": "tiny", "T": 1000}


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit(folder: Path, change) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")


def rehash(folder: Path) -> None:
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit(folder, lambda config: config.update(sha256=digest))


def test_weights_come_back_as_float16_kept_them(folder: Path):
    stored = load_file(folder / WEIGHTS)
    assert {value.dtype for value in stored.values()} == {np.dtype("float16")}
    model = load_model(folder)
    assert not model.system.training
    state = model.system.state_dict()
    assert state.keys() == stored.keys()
    for key, value in state.items():
        assert value.dtype == torch.float32
        np.testing.assert_array_equal(value.numpy(), stored[key].astype(np.float32))
    assert model.hash == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, "config.json", "README.md"}


def test_saving_again_replaces_a_model_and_nothing_else(folder: Path, tmp_path: Path):
    card = load_model(folder).card
    save_model(folder, build_system("staindiffuser", CONFIG), "staindiffuser", CONFIG, card, recipe="make it")
    assert "make it" in (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="never overwritten"):
        save_model(tmp_path / "other", build_system("staindiffuser", CONFIG), "staindiffuser", CONFIG, card)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


def test_a_card_leaves_long_settings_to_the_configuration(folder: Path):
    told = readme("x", load_model(folder).stated.model_copy(update={"config": {"T": 7, "words": ["a"] * 500}}), 10**6)
    assert "| T | 7 |" in told and "| words | see config.json |" in told


def test_a_save_that_fails_leaves_the_old_model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = load_model(folder)
    monkeypatch.setattr("diffuscope.model.folder.readme", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(InputError, match=r"model could not be written \(disk full\)"):
        save_model(folder, build_system("staindiffuser", CONFIG), "staindiffuser", CONFIG, before.card)
    assert load_model(folder).hash == before.hash
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_figures_come_on_the_card_and_the_weights_stay(folder: Path):
    before = load_model(folder)
    set_figures(folder, {"psnr_db": 23.456789})
    after = load_model(folder)
    assert after.hash == before.hash
    assert after.card == before.card.model_copy(update={"figures": {"psnr_db": 23.46}})
    assert "| psnr_db | 23.46 |" in (folder / "README.md").read_text(encoding="utf-8")


def test_how_inputs_look_is_stated_where_it_is_known_and_nowhere_else(folder: Path):
    before = load_model(folder)
    assert "seen" not in json.loads((folder / "config.json").read_text())  # older versions read it
    seen = {"he": Seen(of="three slides", images=3, traits={"hue": (80.0, 100.0, 150.0)})}
    set_seen(folder, seen)
    after = load_model(folder)
    assert after.stated == before.stated.model_copy(update={"seen": seen})
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "| he | three slides | hue of what absorbs 80 to 150° |" in page


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("name", ["extra.pt", "optimizer.bin", "sub/state.PKL", "weights.ckpt"])
def test_a_pickle_in_the_folder_is_refused(folder: Path, name: str, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match=r"holds .*, a format that can run code when opened"):
        load_model(folder)
    assert not Path("exploded").exists()


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_under_the_name_of_safetensors_is_refused(folder: Path, form: str, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if form == "pickle":
        (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb()))
    else:
        torch.save({"a": torch.zeros(2)}, folder / WEIGHTS)
    rehash(folder)
    with pytest.raises(InputError, match="is a pickle under another name and is never opened"):
        load_model(folder)
    assert not Path("exploded").exists()


def test_one_changed_byte_is_seen(folder: Path):
    stored = bytearray((folder / WEIGHTS).read_bytes())
    stored[-1] ^= 1
    (folder / WEIGHTS).write_bytes(stored)
    with pytest.raises(InputError, match=r"is not the file that config\.json describes"):
        load_model(folder)


def drop(tensors):
    del tensors["network.encoder.stem.bias"]


def add(tensors):
    tensors["network.extra"] = np.zeros(1, np.float16)


def cut(tensors):
    tensors["network.encoder.stem.bias"] = tensors["network.encoder.stem.bias"][:3]


def spoil(tensors):
    tensors["network.encoder.stem.bias"][0] = np.nan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop, r"lacks tensor network\.encoder\.stem\.bias"),
        (add, r"has an unknown tensor network\.extra"),
        (cut, r"network\.encoder\.stem\.bias is \(3,\), not \(8,\)"),
        (spoil, r"network\.encoder\.stem\.bias holds values that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder: Path, change, words: str):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    rehash(folder)
    with pytest.raises(InputError, match=words):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("system"), "wrong entry at system: it is missing"),
        (lambda c: c.update(format=2), "wrong entry at format"),
        (lambda c: c.update(run="evil()"), "wrong entry at run"),
        (lambda c: c["card"].pop("licence"), r"wrong entry at card\.licence"),
        (lambda c: c["config"].update(size="huge"), r"wrong entry at config\.size"),
        (lambda c: c.update(system="gan"), "asks for the system 'gan'"),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, change, words: str):
    edit(folder, change)
    with pytest.raises(InputError, match=words):
        load_model(folder)


def test_a_folder_without_its_parts_is_no_model(folder: Path, tmp_path: Path):
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"has no readable model\.safetensors"):
        load_model(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"is not a model folder: it has no readable config\.json"):
        load_model(tmp_path / "empty")
    (folder / WEIGHTS).write_bytes(b"not safetensors at all")
    rehash(folder)
    with pytest.raises(InputError, match="is not a safetensors file"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("what", ["endless", "out", "pipe", "itself", "folder", "huge"])
def test_what_is_no_plain_file_of_the_folder_is_not_waited_for_or_followed(folder: Path, name: str, what: str):
    path = folder / name
    path.rename(folder.parent / "kept")
    if what == "endless":
        path.symlink_to("/dev/zero")
    elif what == "out":
        path.symlink_to(folder.parent / "kept")
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "itself":
        path.symlink_to(name)
    elif what == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 42)
    with pytest.raises(InputError, match=name):
        load_model(folder)


def test_a_model_in_a_folder_that_is_a_link_loads(folder: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(folder)
    assert load_model(tmp_path / "link").hash == load_model(folder).hash


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**62]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"__metadata__": {"a": 1}},
        ["no", "mapping"],
    ],
)
def test_a_header_that_lies_is_refused(folder: Path, header: object):
    text = json.dumps(header).encode()
    stored = len(text).to_bytes(8, "little") + text + b"\0" * 4
    (folder / "model.safetensors").write_bytes(stored)
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(about | {"sha256": hashlib.sha256(stored).hexdigest()}))
    with pytest.raises(InputError, match="fetch the model again"):
        load_model(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 5000, "\ufeff{}", '{"format": NaN}', "9" * 6000])
def test_a_config_that_is_nested_or_no_object_is_one_sentence(folder: Path, text: str):
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json (is not JSON|has a wrong entry)"):
        load_model(folder)
