"""The shelf: what ships, the user's folder, names that are nearly right, and the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diffuscope.errors import InputError
from diffuscope.model import find as shelf
from diffuscope.model.find import find_model, list_models
from diffuscope.model.folder import load_model
from diffuscope.systems.registry import build_system
from diffuscope.training.recipe import load_recipe


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Path) -> Path:
    monkeypatch.setattr(shelf, "user_folder", lambda: tmp_path)
    shutil.copytree(tiny_model, tmp_path / "stain-mine")
    return tmp_path


SIMULATED = ("stain-cd3-demo", "stain-ck818-demo", "nanoparticles-demo", "lnm-demo", "any-to-any-demo")
# Four modalities in one; 32 MB were meant, and the vectors that enter the flows, and are drawn, made it more.
LARGE = {"any-to-any-demo": 34.1e6}
IMAGES = ("ms-flair-demo", "t1-to-flair-ms", "flair-to-t1-ms", "mr-to-ct-sarcoma", "ct-to-mr-sarcoma")
REAL = (*IMAGES, "lnm-hancock")


def test_what_ships_is_what_is_told():
    assert sorted(path.name for path in shelf.BUNDLED.iterdir()) == sorted(SIMULATED + REAL)


@pytest.mark.parametrize("name", SIMULATED + REAL)
def test_the_shipped_models_are_listed_and_small_and_say_what_they_are(name: str):
    found = {model.name: model for model in list_models()}
    model = found[name]
    assert (model.path / "model.safetensors").stat().st_size <= LARGE.get(name, 8e6)
    assert model.card.simulated == (name in SIMULATED)
    assert any(known in model.card.licence for known in ("CC BY", "Apache-2.0")) or name in SIMULATED
    assert "not for diagnosis" in (model.path / "README.md").read_text(encoding="utf-8").lower()
    assert load_model(name).card == model.card
    assert [key for key in model.card.figures if ("validation AUROC" if name.startswith("lnm-") else "psnr_db") in key]


@pytest.mark.parametrize("name", SIMULATED + REAL)
def test_a_shipped_model_has_the_recipe_that_makes_it(name: str):
    model = load_model(name)
    recipe = load_recipe(shelf.BUNDLED.parents[1] / "training/recipes" / f"{name}.yaml")
    assert recipe.card is not None and recipe.card.title == model.card.title
    if recipe.init_from is None:
        made, stored = build_system(recipe.system, recipe.config).config.model_dump(), model.system.config.model_dump()
        # What training found in its patients stands in no recipe.
        found = ("threshold", "calibration", "limits")
        assert made == {key: made[key] if key in found else stored[key] for key in stored}
    else:
        stored = model.system.config
        assert type(stored).model_validate(stored.model_dump() | recipe.config) == stored
    assert model.card.what_it_is_not == recipe.card.what_it_is_not


def test_a_user_s_model_stands_on_the_shelf_by_its_name(own: Path):
    assert [m.title for m in list_models() if m.name == "stain-mine"] == ["Untrained"]
    assert load_model("stain-mine").path == own / "stain-mine"


def test_a_broken_folder_is_not_listed_but_explained_when_named(own: Path):
    (own / "stain-mine" / "config.json").write_text("{")
    assert "stain-mine" not in [m.name for m in list_models()]
    with pytest.raises(InputError, match=r"config\.json is not JSON"):
        load_model("stain-mine")


def test_a_bundled_name_wins(own: Path):
    (own / "stain-mine").rename(own / "stain-cd3-demo")
    assert load_model("stain-cd3-demo").path.parent == shelf.BUNDLED
    assert len([m for m in list_models() if m.name == "stain-cd3-demo"]) == 1


def test_a_name_may_be_a_path_where_no_folder_is_called_so(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    assert find_model(Path("stain-cd3-demo")) == ("stain-cd3-demo", shelf.BUNDLED / "stain-cd3-demo")
    shutil.copytree(tiny_model, "stain-cd3-demo")
    assert find_model(Path("stain-cd3-demo")) == ("stain-cd3-demo", Path("stain-cd3-demo"))
    with pytest.raises(InputError, match="there is no model"):
        find_model(Path("elsewhere/stain-ck818-demo"))


def test_a_folder_s_name_is_its_own_also_by_a_dot(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tiny_model)
    assert load_model(Path()).name == tiny_model.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stain-cd3-dmeo", "did you mean stain-cd3-demo"),
        ("zzz", "there are .*stain-cd3-demo"),
        ("hub:not an address", "is no address of the hub: write hub:owner/name"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, words: str):
    with pytest.raises(InputError, match=words):
        load_model(name)


def test_a_file_is_no_model_folder(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="is a file, not a model folder"):
        load_model(tmp_path / "a.safetensors")


def in_the_hub_s_cache(cache: Path, model: Path) -> None:
    """Lay a model folder where huggingface_hub keeps what it has fetched."""
    snapshot = cache / "models--lab--stain" / "snapshots" / ("0" * 40)
    shutil.copytree(model, snapshot)
    (cache / "models--lab--stain" / "refs").mkdir()
    (cache / "models--lab--stain" / "refs" / "main").write_text("0" * 40)


def test_the_hub_s_cache_serves_without_a_connection(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    in_the_hub_s_cache(tmp_path, tiny_model)
    fetch = huggingface_hub.snapshot_download
    asked = []

    def offline(address: str, **options):
        asked.append((address, options["allow_patterns"]))
        return fetch(address, cache_dir=tmp_path, local_files_only=True, **options)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    model = load_model("hub:lab/stain")
    assert model.hash == load_model(tiny_model).hash
    assert asked == [("lab/stain", ["model.safetensors", "config.json", "README.md"])]
    with pytest.raises(InputError, match="lab/other could not be fetched from the hub"):
        load_model("hub:lab/other")
