"""The models of a server: names, versions, which one answers, what runs in its shadow, and how one takes another's place."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honed.bundle.deployment import version_of
from honed.bundle.manifest import Manifest, read_manifest
from honed.bundle.open import check_files
from honed.bundle.plain import is_plain_decoder
from honed.errors import BundleError, ServeError
from honed.files import read_json
from honed.media.medium import Medium
from honed.serving import bases
from honed.serving.answers import shaped
from honed.serving.lane import Lane
from honed.serving.process import Opening
from honed.serving.settings import Admission, Settings
from honed.tasks.contract import Predictions
from honed.tasks.judging import Judging
from honed.tasks.registry import get_task

UNFIT = "do not ship"


@dataclass
class Shadow:
    """How the answers of a shadow compare with those that were given."""

    served: Served
    rows: int = 0
    agreed: int = 0
    dropped: int = 0
    failed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        counts = {name: getattr(self, name) for name in ("rows", "agreed", "dropped", "failed")}
        return {"version": self.served.version, "ready": self.served.lane.ready, **counts}


@dataclass
class Served:
    """One version of a model that answers."""

    path: Path
    folder: Path
    manifest: Manifest
    version: str
    lane: Lane
    labels: tuple[str, ...]
    half_width: float
    inputs: tuple[str, ...]
    medium: Medium
    judging: Judging
    unfit_because: str = ""
    since: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def reads_rows(self) -> bool:
        """It answers rows of a table; a decoder that was not fine-tuned does not."""
        return bool(self.inputs)

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of one input."""
        return dict(self.manifest.schemas["input"])

    @property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of one answer."""
        return dict(self.manifest.schemas["output"])

    def shown(self, found: Predictions) -> list[Any]:
        """Predictions in the shape of the output schema."""
        return shaped(found, self.output_schema, self.labels, self.half_width)

    def as_dict(self) -> dict[str, Any]:
        """What /api/models shows of it."""
        lane = self.lane
        process = lane.process
        return {
            "version": self.version, "ready": lane.ready, "task": self.manifest.task, "verdict": self.manifest.verdict,
            "served_though_unfit_because": self.unfit_because or None, "engine": process.engine if process else "",
            "created": self.manifest.created, "rows": lane.counts.rows, "waiting_rows": lane.waiting_rows,
            "worker_restarts": lane.counts.restarts, "last_error": lane.counts.last_error or None,
            "reads_rows": self.reads_rows, "writes": lane.writes, "texts_running": lane.desk.running,
            "texts_waiting": lane.desk.waiting,
        }  # fmt: skip


def admitted(path: Path, settings: Settings) -> Served:
    """A bundle, or a decoder that was not fine-tuned, that may be served; its worker is not started yet.

    Raises
    ------
    BundleError, ServeError [H020, H024]
        Damaged, not signed as asked for, or its evaluation says "do not ship" and nobody took that upon themselves.
    """
    folder, admission, limits = path.resolve(), settings.admission, settings.limits
    if is_plain_decoder(folder):
        return _admitted_base(path, settings)
    if not folder.is_dir():
        raise BundleError(
            "B001", f"There is no bundle {path}.", "Pass the folder that finetune wrote, such as runs/NAME/model."
        )
    manifest = read_manifest(folder)
    _check_trust(folder, manifest, admission)
    problem, decision = read_json(folder / "problem.json"), read_json(folder / "decision.json")
    version = version_of(folder)
    example = (manifest.schemas["input"].get("examples") or [{}])[0]
    opening = Opening(
        folder, admission.engine, version, example, slots=limits.slots, weights=admission.weights
    )  # fmt: skip
    unfit = admission.unfit_because if manifest.verdict == UNFIT else ""
    if unfit:
        print(f'honed: {manifest.name} is served although its verdict is "{UNFIT}": {unfit}', flush=True)
    task = get_task(manifest.task)
    return Served(
        path, folder, manifest, version, Lane(manifest.name, opening, limits), tuple(problem["labels"]),
        float(decision["half_width"]), tuple(problem["inputs"]), task.medium, task.judging, unfit,
    )  # fmt: skip


def _admitted_base(path: Path, settings: Settings) -> Served:
    folder, admission, limits = path.resolve(), settings.admission, settings.limits
    if admission.signed_by is not None:
        seen = f"{path} is no bundle, so nobody can have signed it."
        raise ServeError("H024", seen, "Serve bundles only, or leave --require-signature away.")
    manifest, version = bases.manifest_of(folder), bases.version_of(folder)
    opening = Opening(folder, admission.engine, version, {}, True, limits.slots, admission.weights)
    task = get_task(manifest.task)
    return Served(
        path, folder, manifest, version, Lane(manifest.name, opening, limits), (), 0.0, (), task.medium, task.judging
    )


def _check_trust(folder: Path, manifest: Manifest, admission: Admission) -> None:
    if admission.signed_by is not None:
        from honed.bundle.sign import verify

        verify(folder, admission.signed_by)
    else:
        check_files(folder, manifest)
    if manifest.verdict == UNFIT and not admission.unfit_because:
        seen = f'The evaluation of {manifest.name} says "{UNFIT}"; its report says why.'
        raise ServeError("H020", seen, 'Serve another one, or say why you must: --allow-unfit "reason".')


class Shelf:
    """All that is served."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.versions: dict[str, dict[str, Served]] = {}
        self.default: dict[str, str] = {}
        self.shadows: dict[str, Shadow] = {}
        self._changing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def open(self, bundles: list[Path], shadows: dict[str, Path]) -> None:
        """Open all bundles; the first one of a name answers where no version is named. All or none."""
        all_served = [admitted(path, self.settings) for path in bundles]
        names = {served.name for served in all_served}
        for name in shadows:
            if name not in names:
                seen = f'--shadow names the model "{name}"; there is {", ".join(sorted(names))}.'
                raise ServeError("H025", seen, "Write --shadow NAME=BUNDLE with one of these names.")
        behind = {name: admitted(path, self.settings) for name, path in shadows.items()}
        for name, served in behind.items():
            front = next(one for one in all_served if one.name == name)
            if not front.reads_rows or front.input_schema.get("properties") != served.input_schema.get("properties"):
                seen = f"The shadow of {name} reads other inputs than {name} does."
                raise ServeError("H025", seen, "A shadow must read the same columns.")
        try:
            await asyncio.gather(*(served.lane.start() for served in (*all_served, *behind.values())))
        except BaseException:
            await asyncio.gather(*(served.lane.stop() for served in (*all_served, *behind.values())))
            raise
        for served in all_served:
            self.versions.setdefault(served.name, {}).setdefault(served.version, served)
            self.default.setdefault(served.name, served.version)
        self.shadows = {name: Shadow(served) for name, served in behind.items()}

    @property
    def all(self) -> list[Served]:
        """Every version that answers."""
        return [served for versions in self.versions.values() for served in versions.values()]

    @property
    def ready(self) -> bool:
        """Every version can answer now."""
        return bool(self.versions) and all(served.lane.ready for served in self.all)

    def find(self, name: str | None = None, version: str | None = None) -> Served:
        """The model that should answer.

        Raises
        ------
        ServeError [H003]
            There is none of this name or version, or several models and none named.
        """
        names = ", ".join(sorted(self.versions))
        if name is None:
            if len(self.versions) != 1:
                raise ServeError("H003", f"Several models are served: {names}.", "Name one: POST /models/NAME/predict.")
            name = next(iter(self.versions))
        if name not in self.versions:
            raise ServeError("H003", f'There is no model "{_short(name)}".', f"There is {names}; see /api/models.")
        there = self.versions[name]
        if version is None:
            return there[self.default[name]]
        fitting = [served for key, served in there.items() if len(version) >= 4 and key.startswith(version)]
        if len(fitting) != 1:
            seen = f'{name} has no version "{_short(version)}".'
            raise ServeError("H003", seen, f"There is {', '.join(there)}; its first 4 digits are enough.")
        return fitting[0]

    async def reload(self, name: str, path: Path | None = None) -> Served:
        """Put a bundle in the place of the version that answers by default: warmed first, then switched, then the old one drains.

        Raises
        ------
        ServeError [H003, H023, H024], BundleError
            Nothing was switched.
        """
        async with self._changing:
            old = self.find(name)
            path = old.path if path is None else self._allowed(path)
            new = admitted(path, self.settings)
            if new.name != name:
                seen = f'The bundle holds the model "{new.name}", not "{name}".'
                raise ServeError("H024", seen, "Reload it under its own name.")
            if new.version == old.version:
                return old
            if new.version in self.versions[name]:
                self.default[name] = new.version
                return self.versions[name][new.version]
            await new.lane.start()
            self.versions[name][new.version] = new
            self.default[name] = new.version
            del self.versions[name][old.version]
            print(f"honed: {name} is version {new.version} now, instead of {old.version}.", flush=True)
            self._leave(old)
            return new

    def _leave(self, old: Served) -> None:
        task = asyncio.create_task(old.lane.stop())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _allowed(self, path: Path) -> Path:
        """Reloading opens only what lies in a folder that was allowed when the server started."""
        whole = path.resolve()
        folders = [*self.settings.folders, *(served.path.absolute().parent for served in self.all)]
        if not any(whole.is_relative_to(folder.resolve()) for folder in folders):
            raise ServeError(
                "H023", f"{path} lies outside the folders that may be served from.", "Start with --allow-folder."
            )
        return path

    async def stop(self) -> None:
        """Answer what was accepted, then end all workers."""
        lanes = [served.lane for served in self.all] + [shadow.served.lane for shadow in self.shadows.values()]
        await asyncio.gather(*(lane.stop() for lane in lanes), *self._leaving)


def _short(text: str) -> str:
    return text.encode("utf-8", "replace").decode()[:80]
