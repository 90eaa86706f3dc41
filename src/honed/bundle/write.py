"""Packaging a model: one folder, every file under a digest, whole or not at all."""

from __future__ import annotations

import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from honed.bundle.manifest import MANIFEST, Manifest
from honed.errors import RunError
from honed.files import sha256, whole_folder, write_json
from honed.model import Model
from honed.resources import free_disk_mib
from honed.wording import shown_title

PACKAGES = ("honed", "torch", "transformers", "tokenizers", "numpy", "scikit-learn")
NEEDED_MIB = 64.0


def write_model(
    folder: Path,
    model: Model,
    *,
    config_text: str = "",
    report: dict[str, Any] | None = None,
    html: str | None = None,
    card: str | None = None,
    verdict: str = "not evaluated",
    reference: pa.Table | None = None,
) -> Manifest:
    """Write the bundle of a model, replacing an older one only when the new one is whole.

    Raises
    ------
    RunError [R010, R011, R012]
        The disk is full or the place may not be written; nothing half-written stays behind.
    """
    size = NEEDED_MIB + model.provenance.get("base", {}).get("n_parameters", 0) * 4 / 2**20
    if free_disk_mib(folder) < size:
        seen = f"The disk under {folder} has {free_disk_mib(folder):,.0f} MiB free, a bundle needs about {size:,.0f}."
        raise RunError("R010", seen, "Free some space, or choose another folder with --out.")
    with whole_folder(folder) as place:
        model.predictor.save(place)
        write_json(place / "problem.json", model.problem.as_dict())
        write_json(place / "decision.json", model.decision.as_dict())
        write_json(place / "roles.json", model.roles.as_dict())
        _texts(
            place,
            {
                "config.yaml": config_text,
                "report.html": html,
                "README.md": card,
                "LICENCE-BASE.md": licence_text(model),
            },
        )
        if report is not None:
            write_json(place / "report.json", report)
        _background(place, model)
        if reference is not None:
            from pyarrow import parquet

            parquet.write_table(reference, place / "reference.parquet")
        manifest = _manifest(place, model, verdict)
        write_json(place / MANIFEST, manifest.as_dict())
    return manifest


def _background(place: Path, model: Model) -> None:
    """What later evaluations need: hashes and sketches of the inputs learnt from, and the cheapest baseline."""
    if model.extra.get("seen"):
        import numpy as np
        from safetensors.numpy import save_file

        seen = {"hashes": np.array(sorted(model.extra["seen"]), dtype=np.uint64)}
        if len(model.extra.get("near", ())):
            seen["near"] = np.ascontiguousarray(model.extra["near"])
        save_file(seen, place / "seen.safetensors")
    baseline = model.extra.get("baseline")
    if baseline is not None:
        (place / "baseline").mkdir()
        baseline.predictor.save(place / "baseline")
        write_json(
            place / "baseline" / "kind.json", {"name": shown_title(baseline.title), "kind": baseline.predictor.kind}
        )


def _texts(place: Path, texts: dict[str, str | None]) -> None:
    for name, text in texts.items():
        if text:
            (place / name).write_text(text, encoding="utf-8")


def licence_text(model: Model) -> str:
    """Which base a model was made from and under which licence, as Markdown; "" without a base."""
    base = model.provenance.get("base") or {}
    if not base:
        return ""
    return (
        f"# Licence of the base model\n\nThis model was made from **{base['id']}** "
        f"(SHA-256 of its weights {base['digest']}), whose licence is **{base['licence']}**.\n"
        "Its terms bind this model as well.\n"
    )


def _manifest(place: Path, model: Model, verdict: str) -> Manifest:
    schemas = model.task.schemas(model.problem)
    return Manifest(
        name=model.name,
        task=model.task.name,
        task_version=model.task.version,
        predictor=model.predictor.kind,
        honed_version=metadata.version("honed"),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        base=model.provenance.get("base") or {},
        trained={key: value for key, value in model.provenance.items() if key != "base"},
        schemas={"input": schemas.input, "output": schemas.output},
        files={str(path.relative_to(place)): sha256(path) for path in sorted(place.rglob("*")) if path.is_file()},
        verdict=verdict,
        versions={name: metadata.version(name) for name in PACKAGES},
    )
