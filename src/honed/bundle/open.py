"""Opening a bundle: every digest is verified before anything in it is used."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from honed.bundle.manifest import OUTSIDE, Manifest, read_manifest
from honed.bundle.plain import is_plain_decoder
from honed.data.table import Roles
from honed.errors import BundleError, ConfigError
from honed.files import read_json, sha256
from honed.model import Model
from honed.tasks.contract import Decision, Problem
from honed.tasks.registry import get_task

FORBIDDEN = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".py", ".so", ".dll", ".exe", ".sh")
"""Kinds of files that could run code when opened; no bundle has them."""


def open_bundle(folder: Path) -> Model:
    """The model in a bundle.

    Raises
    ------
    BundleError [B001..B007, B020, B037]
        No bundle, damaged, tampered with, of a newer format, or of a task that is not installed.
    """
    folder = Path(folder)
    if is_plain_decoder(folder):
        raise BundleError(
            "B037", f"{folder} is a pre-trained model that was not fine-tuned.",
            "Take it as --base of finetune; a decoder also answers by examples (honed predict --examples).",
        )  # fmt: skip
    if not folder.is_dir():
        raise BundleError(
            "B001", f"There is no bundle {folder}.", "Pass the folder that finetune wrote, such as runs/NAME/model."
        )
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    try:
        task = get_task(manifest.task)
    except ConfigError as error:
        raise BundleError(
            "B007", f'The bundle is for the task "{manifest.task}", which is not installed.', error.remedy
        ) from error
    problem = Problem.from_dict(read_json(folder / "problem.json"))
    predictor = task.load_predictor(manifest.predictor, folder, problem)
    if predictor.kind == "network":
        from honed.networks.devices import placed_predictor

        placed_predictor(predictor)
    return Model(
        task=task,
        problem=problem,
        predictor=predictor,
        decision=Decision.from_dict(read_json(folder / "decision.json")),
        provenance={"base": manifest.base, **manifest.trained},
        roles=Roles.from_dict(read_json(folder / "roles.json")),
        name=manifest.name,
        folder=folder,
        extra={"verdict": manifest.verdict},
    )


def check_files(folder: Path, manifest: Manifest) -> None:
    """All files are there, none is foreign, and each has the digest the manifest states.

    Raises
    ------
    BundleError [B004, B005, B006]
        A file is missing or changed, a foreign file lies there, or a name leads out of the folder.
    """
    for name in manifest.files:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or pure.suffix.lower() in FORBIDDEN:
            raise BundleError(
                "B006", f'The manifest names "{name}", which no bundle may hold.', "Do not use this bundle."
            )
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    foreign = sorted(there - set(manifest.files) - set(OUTSIDE))
    if foreign:
        raise BundleError(
            "B005",
            f'The bundle holds a file its manifest does not name: "{foreign[0]}".',
            "Remove it, or take a fresh copy.",
        )
    for name, digest in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(
                "B004", f'The file "{name}" of the bundle is missing.', "Take an undamaged copy of the bundle."
            )
        if sha256(path) != digest:
            seen = f'The file "{name}" of the bundle was changed or cut short (its SHA-256 differs from the manifest).'
            raise BundleError("B004", seen, "Take an undamaged copy of the bundle.")
