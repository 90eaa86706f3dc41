"""A base from a model hub: the licence is told first, only safetensors are fetched, the revision is recorded."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.files import write_json
from honed.progress import Progress
from honed.zoo.base import Base
from honed.zoo.catalogue import Entry, catalogue
from honed.zoo.local import local_base

WANTED = ["*.json", "*.txt", "*.jinja", "*.model", "*.safetensors", "README.md", "LICENSE*", "1_Pooling/*"]
UNWANTED = ["onnx/*", "openvino/*", "*.bin", "*.h5", "*.msgpack", "*.onnx", "*.ot"]
WAYS_OUT = (
    "Ways out: leave --base away for the embedded model, pass a folder that holds the model, copy the model into the hub's "
    "cache (HF_HOME), or name an internal mirror (HF_ENDPOINT)."
)


def cached_folder(hub_name: str, revision: str = "") -> Path | None:
    """The snapshot of a hub model that lies in the local cache already, or None; no network is used."""
    home = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    )
    model = home / f"models--{hub_name.replace('/', '--')}"
    reference = model / "refs" / (revision or "main")
    name = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    folder = model / "snapshots" / name
    return folder if name and (folder / "config.json").exists() else None


def hub_base(
    name: str, entry: Entry | None, progress: Progress, describe: Callable[..., Base] = local_base, fetch: bool = True
) -> Base:
    """A model of the hub, from the cache or, with ``fetch``, downloaded.

    Raises
    ------
    ZooError [Z020, Z021, Z022, Z023]
        Unknown name, hub unreachable, extra package missing, or the digest is not the recorded one.
    """
    hub_name, _, revision = name.partition("@")
    revision = revision or (entry.revision if entry else "")
    if "/" not in hub_name:
        raise _unknown(hub_name)
    folder = cached_folder(hub_name, revision)
    if folder is None and not fetch:
        raise ZooError("Z021", f"{hub_name} is not in the hub's cache on this machine.", WAYS_OUT)
    if folder is None:
        licence = entry.licence if entry else "unknown until its card is read"
        size = f", about {entry.size_mib:,.0f} MiB" if entry else ""
        progress.say(f"Downloading {hub_name} (licence: {licence}{size}) from the hub; your data stays here.")
        folder = _download(hub_name, revision)
    base = describe(folder, name=hub_name, revision=folder.name, how="hub")
    _trust_first(hub_name, base, entry)
    return base


def _unknown(name: str) -> ZooError:
    close = difflib.get_close_matches(name, [entry.id for entry in catalogue()], n=2, cutoff=0.5)
    hint = (
        f"Did you mean {' or '.join(close)}?"
        if close
        else "See `honed models`, or pass a folder or a hub name such as org/name."
    )
    return ZooError("Z020", f'There is no base "{name}", neither in the zoo nor as a folder.', hint)


def _download(name: str, revision: str) -> Path:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError
    except ImportError as error:
        raise ZooError(
            "Z022", "Downloading from a hub needs the package huggingface_hub.", "Install honed[hub]. " + WAYS_OUT
        ) from error
    options: dict[str, Any] = {"allow_patterns": WANTED, "ignore_patterns": UNWANTED, "etag_timeout": 5}
    try:
        return Path(snapshot_download(name, revision=revision or None, **options))
    except RepositoryNotFoundError as error:
        raise ZooError(
            "Z020", f'The hub has no model "{name}", or it is private.', "Check the name. " + WAYS_OUT
        ) from error
    except Exception as error:
        raise ZooError("Z021", f"The model hub cannot be reached ({type(error).__name__}).", WAYS_OUT) from error


def _trust_first(name: str, base: Base, entry: Entry | None) -> None:
    """Compare the digest with the catalogue's or with the one recorded at the first use, and record it then."""
    record = Path(os.environ.get("HONED_HOME") or Path.home() / ".cache/honed") / "digests.json"
    try:
        known: dict[str, str] = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    key = f"{name}@{base.revision}"
    wanted = (entry.digest if entry else "") or known.get(key, "")
    if wanted and wanted != base.digest:
        seen = f"The weights of {name} have another SHA-256 than when they were first used."
        raise ZooError("Z023", seen, f"Find out why. If the change is known, remove the line from {record}.")
    if not wanted:
        write_json(record, {**known, key: base.digest})
