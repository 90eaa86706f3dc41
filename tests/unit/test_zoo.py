"""Bases: the embedded one, folders, the hub's cache, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from honed.errors import ZooError
from honed.zoo.catalogue import catalogue, find, list_models
from honed.zoo.embedded import DIGESTS, NAME, embedded_folder
from honed.zoo.local import count_parameters, local_base
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
        assert entry.licence and entry.languages and entry.tasks and entry.good_for and entry.hub.count("/") == 1
        assert entry.size_mib > 10 and entry.max_length >= 128
        assert find(entry.hub) == find(entry.id) == entry
    assert {e.status for e in list_models()} <= {"embedded", "on this machine", "to be downloaded"}
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
