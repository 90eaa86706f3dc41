"""What an administrator needs to serve a bundle: a systemd unit, a Dockerfile and a README, from one set of templates."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from honed.bundle.manifest import Manifest, read_manifest
from honed.bundle.open import check_files
from honed.engines.kinds import AUTO, OWN, kind_of
from honed.engines.proof import FILE as PROOF
from honed.errors import BundleError, ConfigError
from honed.files import whole_folder
from honed.model import Model
from honed.progress import Progress

TEMPLATES = {
    "unit.service": "honed-{name}.service",
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "README.md": "README.md",
}
PACKAGED = "packages"
"""Subfolder of the deployment where a wheel of Honed may lie, for machines that reach no package index."""


def write_deployment(
    bundle: Path, out: Path, *, port: int = 8000, engine: str = AUTO, data: Any = None, progress: Progress | None = None
) -> Path:
    """Write the folder, with a verified copy of the bundle inside; whole or not at all.

    For the engine "auto" the folder also gets what every engine costs in answers, measured here on ``data`` or on the rows the
    run held out: the server has no rows, and without it would take none that rounds.

    Raises
    ------
    BundleError, ConfigError [C003], RunError [R010, R011, R012]
    """
    if not 1 <= port <= 65535:
        raise ConfigError("C003", f"The port is {port}.", "It must lie between 1 and 65535.")
    if engine not in (AUTO, OWN):
        kind_of(engine)
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "Dockerfile").is_file())):
        raise BundleError("B034", f"{out} exists and holds no deployment.", "Name a folder that does not exist yet.")
    with whole_folder(out) as place:
        shutil.copytree(bundle, place / "model")
        check_files(place / "model", manifest)
        (place / PACKAGED).mkdir()
        (place / PACKAGED / ".keep").touch()
        proof = engine == AUTO and _prove(bundle, place, data, progress)
        for template, name in TEMPLATES.items():
            facts = {**_facts(manifest, port, engine), "proof": PROOF if proof else ""}
            (place / name.format(**facts)).write_text(render(template, facts), encoding="utf-8")
    return out


def _prove(bundle: Path, place: Path, data: Any, progress: Progress | None) -> bool:
    from honed.engines.choose import choose
    from honed.engines.prepare import is_network
    from honed.engines.proof import write_proof

    model = Model.load(bundle)
    return is_network(model.predictor) and write_proof(model, choose(model, data, progress=progress), place)


def render(template: str, facts: dict[str, Any]) -> str:
    """One template with the facts filled in; a fact that is missing is an error."""
    from jinja2 import Environment, StrictUndefined

    text = files("honed.exporting").joinpath("templates", f"{template}.j2").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text).render(**facts)


def _facts(manifest: Manifest, port: int, engine: str) -> dict[str, Any]:
    """What the templates name. The model's own name may hold anything, so only safe characters of it are used."""
    name = re.sub(r"[^a-z0-9]+", "-", manifest.name.lower()).strip("-") or "model"
    return {
        "name": name,
        "port": port,
        "engine": engine,
        "version": metadata.version("honed"),
        "verdict": manifest.verdict,
        "packages": PACKAGED,
        "example": _example(manifest),
    }


def _example(manifest: Manifest) -> str:
    import json

    return json.dumps(manifest.schemas["input"]["examples"][0], ensure_ascii=True).replace("'", "\\u0027")
