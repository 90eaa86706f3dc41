"""Bases: the embedded one, folders, the hub's cache, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from honed.errors import ZooError
from honed.zoo.at_hand import list_models
from honed.zoo.base import Base
from honed.zoo.catalogue import catalogue, find
from honed.zoo.embedded import DIGESTS, NAME, embedded_folder
from honed.zoo.local import count_parameters, local_base
from honed.zoo.own import OWN_BACKBONE, OWN_DETECTOR
from honed.zoo.resolve import resolve


def test_the_embedded_base_is_verified() -> None:
    base = resolve()
    assert base.id == NAME and base.licence.lower().startswith("apache") and base.how == "embedded"
    assert base.digest == DIGESTS["model.safetensors"] and base.n_parameters > 22_000_000


def test_a_changed_embedded_base_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded_folder.cache_clear()
    monkeypatch.setitem(DIGESTS, "tokenizer.json", "0" * 64)
    with pytest.raises(ZooError, match="Z002"):
        embedded_folder()
    embedded_folder.cache_clear()


def test_the_catalogue_is_complete() -> None:
    entries = catalogue()
    assert entries[0].id == NAME and len(entries) >= 10 and len({e.id for e in entries}) == len(entries)
    for entry in entries:
        assert entry.licence and entry.tasks and entry.good_for and find(entry.id) == entry
        if entry.hub:
            assert entry.hub.count("/") == 1 and find(entry.hub) == entry
        if "text-classification" in entry.tasks:
            assert entry.languages and entry.size_mib > 10 and entry.max_length >= 128
    files = [entry.file for entry in entries if entry.file]
    assert len(files) == len(set(files)) == 16 and all(file.endswith(".pkl") for file in files)
    assert {e.id for e in entries if not e.hub and not e.file} == {OWN_BACKBONE, OWN_DETECTOR}
    own = resolve(kind="image")
    assert (own.id, own.how, own.licence) == (OWN_BACKBONE, "embedded", "apache-2.0")
    assert {e.status for e in list_models()} <= {"embedded", "on this machine", "to be downloaded", "as a file"}
    with pytest.raises(ZooError, match="Z024"):
        resolve("retinanet_R_50_FPN_3x", kind="image")
    assert all("text-classification" in e.tasks for e in list_models("text-classification"))


def test_a_folder_tells_its_licence(tmp_path: Path, tiny_base: Path) -> None:
    folder = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    assert "unknown" in local_base(folder).licence.lower() or local_base(folder).licence == ""
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: en\n---\nA model.\n")
    assert local_base(folder).licence == "mit"


def test_the_header_of_safetensors_is_checked(tmp_path: Path, tiny_base: Path) -> None:
    whole = (tiny_base / "model.safetensors").read_bytes()
    path = tmp_path / "w.safetensors"
    for damaged in (b"", whole[:7], whole[:100], whole[:-1], whole + b"x", b"\xff" * 64):
        path.write_bytes(damaged)
        with pytest.raises(ZooError, match="Z012"):
            count_parameters(path)


def snapshot(home: Path, tiny_base: Path) -> Path:
    """The tiny model in the layout of a hub's cache."""
    model = home / "hub" / "models--acme--tiny"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123")
    return Path(shutil.copytree(tiny_base, model / "snapshots" / "abc123"))


def test_a_model_in_the_cache_needs_no_network(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "honed"))
    folder = snapshot(tmp_path, tiny_base)
    base = resolve("acme/tiny")
    assert base.how == "hub" and base.revision == "abc123" and base.folder == folder
    assert resolve("acme/tiny@abc123").digest == base.digest
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ZooError, match="Z023"):
        resolve("acme/tiny")


def test_unknown_names_are_answered_with_close_ones() -> None:
    with pytest.raises(ZooError, match="all-MiniLM-L6-v2"):
        resolve("all-MiniLM-L6")


def test_a_base_says_how_long_its_texts_may_be(tmp_path: Path, tiny_base: Path) -> None:
    folder = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    facts = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**facts, "model_max_length": 17}))
    assert local_base(folder).max_length == 17


# --- layouts of weights -------------------------------------------------------------------------------------------


def sharded(tiny_base: Path, folder: Path, kind: str = "safetensors") -> Path:
    """The tiny model with its weights in several files and an index."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_base, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    stem, end = ("model", "safetensors") if kind == "safetensors" else ("pytorch_model", "bin")
    place = {name: f"{stem}-{1 + 3 * i // len(names):05}-of-00003.{end}" for i, name in enumerate(names)}
    for file in set(place.values()):
        part = {name: tensors[name] for name in names if place[name] == file}
        if kind == "safetensors":
            save_file(part, folder / file, metadata={"format": "pt"})
        else:
            torch.save(part, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": place}
    (folder / f"{stem}.{end}.index.json").write_text(json.dumps(index))
    return folder


def vector(base: Base) -> Any:
    """What the encoder makes of a sentence: the same weights give the same numbers."""
    from honed.networks.engine import NetworkPredictor
    from honed.tasks.contract import Problem
    from honed.tasks.registry import get_task

    task = get_task("text-classification")
    problem = Problem(task.name, "binary", ("text",), "y", ("a", "b"))
    return NetworkPredictor(task.build(base, problem, task.config(max_length=16), 0)).embed([("the router is down",)])


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_weights_in_several_files(kind: str, tmp_path: Path, tiny_base: Path) -> None:
    whole, parts = local_base(tiny_base), local_base(sharded(tiny_base, tmp_path / "base", kind))
    assert parts.n_parameters == whole.n_parameters
    np.testing.assert_array_equal(vector(parts), vector(whole))


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_a_missing_part_is_named(kind: str, tmp_path: Path, tiny_base: Path) -> None:
    folder = sharded(tiny_base, tmp_path / "base", kind)
    [second] = folder.glob("*00002-of-00003*")
    second.unlink()
    with pytest.raises(ZooError, match=rf"Z015.*{second.name}"):
        local_base(folder)
    assert not (folder / "model.safetensors").exists()


def test_a_left_over_part_plays_no_role(tmp_path: Path, tiny_base: Path) -> None:
    """Beside one whole file, and beside an index that does not name it."""
    folder = sharded(tiny_base, tmp_path / "base")
    digest = local_base(folder).digest
    shutil.copy(tiny_base / "model.safetensors", folder / "model-old.safetensors")
    assert local_base(folder).digest == digest
    shutil.copy(tiny_base / "model.safetensors", folder / "model.safetensors")
    assert local_base(folder).digest == local_base(tiny_base).digest


def test_safetensors_win_over_a_pickle_beside_them(tmp_path: Path, tiny_base: Path) -> None:
    folder = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04never read")
    base = local_base(folder)
    assert base.digest == local_base(tiny_base).digest
    np.testing.assert_array_equal(vector(base), vector(local_base(tiny_base)))


def linked_cache(home: Path, tiny_base: Path) -> Path:
    """A model in a hub's cache as the hub's own client lays it out: snapshots of links into a folder of blobs."""
    model = home / "hub" / "models--acme--tiny"
    for part in ("refs", "blobs", "snapshots/abc123", "snapshots/older"):
        (model / part).mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123")
    for number, path in enumerate(sorted(path for path in tiny_base.iterdir() if path.is_file())):
        shutil.copy(path, model / "blobs" / f"blob{number}")
        for snapshot in ("abc123", "older"):
            (model / "snapshots" / snapshot / path.name).symlink_to(f"../../blobs/blob{number}")
    return model


def test_the_layout_of_a_hub_cache(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name through HF_HOME, as the model's folder, and as one snapshot: the same base each time."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "honed"))
    model = linked_cache(tmp_path, tiny_base)
    named, folder, snapshot = resolve("acme/tiny"), resolve(model), resolve(model / "snapshots" / "abc123")
    assert (named.how, named.revision) == ("hub", "abc123")
    assert (folder.how, folder.id, folder.revision) == ("local", "acme/tiny", "abc123")
    assert named.folder == folder.folder == snapshot.folder
    assert named.digest == folder.digest == snapshot.digest == local_base(tiny_base).digest
    np.testing.assert_array_equal(vector(folder), vector(local_base(tiny_base)))
    (model / "refs" / "main").unlink()
    assert resolve(model).digest == named.digest  # without a reference the newest snapshot


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    model = linked_cache(tmp_path, tiny_base)
    (model / "snapshots" / "abc123" / "model.safetensors").resolve().unlink()
    for base in ("acme/tiny", model):
        with pytest.raises(ZooError, match=r"Z015.*leads nowhere"):
            resolve(base)


def test_a_run_from_sharded_weights(tmp_path: Path, tiny_base: Path, tickets: Path) -> None:
    """The whole way: the bundle opens again without the base."""
    import honed
    from tests.conftest import FAST

    folder = sharded(tiny_base, tmp_path / "base")
    result = honed.finetune(tickets, base=folder, out=tmp_path / "runs", settings=dict(FAST))
    shutil.rmtree(folder)
    assert len(honed.Model.load(result.folder / "model").predict(["the router is down"])) == 1
