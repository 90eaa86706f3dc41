"""Exporting: write, run the result in a fresh process, keep it only if it answers like the model."""

from __future__ import annotations

import datetime
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from honed.engines.kinds import installed
from honed.engines.prepare import sample_inputs
from honed.engines.rows import Rows, rows_for
from honed.errors import BundleError, RunError
from honed.exporting.check import Check, check_export
from honed.exporting.readme import readme_text
from honed.exporting.results import ExportReport
from honed.exporting.script import packages_of, recipe_of
from honed.exporting.targets import Target, target_of
from honed.exporting.writers import write_model
from honed.files import sha256, whole_folder, write_json
from honed.model import Model
from honed.progress import Progress, Silent
from honed.resources import free_disk_mib

KEPT = {"README.md": "MODEL_CARD.md", "LICENCE-BASE.md": "LICENCE-BASE.md"}
"""Texts of a bundle that go with every export, and their names there."""


def export_model(
    model: Model, to: str, out: Path, *, data: Any = None, progress: Progress | None = None
) -> ExportReport:
    """Write a self-contained folder that runs without Honed, whole or not at all.

    Raises
    ------
    BundleError [B031..B034], DataError, RunError [R010, R011, R012]
    """
    progress, target = progress or Silent(), target_of(to)
    recipe_of(model, target)
    _needs(model, target)
    _free_place(model, out)
    rows = _rows(model, data)
    with whole_folder(out) as place:
        with progress.step(f"writing {target.title}"):
            write_model(model, target, place)
            _texts(model, place)
        with progress.step("opening it in a fresh process and comparing answers"):
            found = check_export(model, target, place, rows)
        report = _report(model, target, out, rows, found)
        (place / "README.md").write_text(readme_text(model, target, report), encoding="utf-8")
        files = {str(path.relative_to(place)): sha256(path) for path in sorted(place.rglob("*")) if path.is_file()}
        report = ExportReport(**{**vars(report), "files": files})
        write_json(place / "export.json", report.as_dict())
    return report


def _needs(model: Model, target: Target) -> None:
    absent = [name for name in packages_of(model, target) if not installed(name)]
    if absent:
        seen = f"An export to {target.name} is checked by running it, and {', '.join(absent)} is not installed."
        raise BundleError("B031", seen, f"pip install {' '.join(absent)}")


def _free_place(model: Model, out: Path) -> None:
    """A folder that holds something else than an export is never replaced; and the disk must have room."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "export.json").is_file())):
        raise BundleError("B034", f"{out} exists and holds no export.", "Name a folder that does not exist yet.")
    needed = 64.0 + 2 * model.provenance.get("base", {}).get("n_parameters", 0) * 4 / 2**20
    if free_disk_mib(out) < needed:
        seen = f"The disk under {out} has {free_disk_mib(out):,.0f} MiB free, the export needs about {needed:,.0f}."
        raise RunError("R010", seen, "Free some space, or choose another folder with --out.")


def _rows(model: Model, data: Any) -> Rows:
    found = rows_for(model, data)
    return found if found.n else Rows(sample_inputs(model), None, "example")


def _texts(model: Model, place: Path) -> None:
    for name, there in KEPT.items():
        if model.folder is not None and (model.folder / name).is_file():
            shutil.copy(model.folder / name, place / there)
    if not (place / "LICENCE-BASE.md").exists() and model.provenance.get("base"):
        from honed.bundle.write import licence_text

        (place / "LICENCE-BASE.md").write_text(licence_text(model), encoding="utf-8")


def _report(model: Model, target: Target, out: Path, rows: Rows, found: Check) -> ExportReport:
    told = found.agreement
    return ExportReport(
        target=target.name,
        title=target.title,
        model=model.name,
        folder=str(out),
        packages=tuple(packages_of(model, target)),
        rows=found.rows,
        rows_source=rows.source,
        difference=told.difference,
        changed=told.changed,
        loss_points=told.loss_points if told.measured else None,
        metric=model.task.metrics(model.problem)[0].title,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        honed_version=metadata.version("honed"),
    )
