"""What the routes share: the models, the log, the figures, and one way to answer rows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from honed.errors import HonedError
from honed.serving.attached import decoded, file_fields
from honed.serving.keys import Key
from honed.serving.log import NullLog, PredictionLog
from honed.serving.metrics import Metrics
from honed.serving.settings import Settings
from honed.serving.shelf import Served, Shelf
from honed.tasks.contract import Predictions

if TYPE_CHECKING:
    from honed.serving.v1.told import Draft

MOST_SHADOWING = 256
MOST_DRAWING = 2
"""Pictures that are drawn on at the same time; each may take some hundred megabytes while it is open."""


class Service:
    """A server without HTTP."""

    def __init__(self, settings: Settings, keys: tuple[Key, ...] = (), log: PredictionLog | None = None) -> None:
        self.settings, self.keys = settings, keys
        self.log: PredictionLog = log or NullLog()
        self.shelf = Shelf(settings)
        self.metrics = Metrics(self.shelf, self.log)
        self.drawing = asyncio.Semaphore(MOST_DRAWING)
        self._shadowing: set[asyncio.Task[None]] = set()

    async def start(self, bundles: list[Path], shadows: dict[str, Path]) -> None:
        """Open all bundles. Raises what keeps one of them from being served."""
        await self.shelf.open(bundles, shadows)
        for served in self.shelf.all:
            self.metrics.watch(served)

    async def stop(self) -> None:
        """Answer what was accepted, write the log, end the workers."""
        if self._shadowing:
            await asyncio.wait(self._shadowing, timeout=2.0)
        await self.shelf.stop()
        await asyncio.to_thread(self.log.close, 10.0)

    async def answer(
        self, served: Served, rows: Sequence[dict[str, Any]], request_id: str, subject: str | None
    ) -> Predictions:
        """Answers for rows, logged. Raises ServeError."""
        found = (await served.lane.ask(rows)).predictions
        self._record(served, rows, found, request_id, subject, shadow=False)
        shadow = self.shelf.shadows.get(served.name)
        if shadow is not None:
            if len(self._shadowing) >= MOST_SHADOWING:
                shadow.dropped += len(rows)
            else:
                task = asyncio.create_task(self._shadow(served.name, rows, found, request_id, subject))
                self._shadowing.add(task)
                task.add_done_callback(self._shadowing.discard)
        return found

    async def _shadow(
        self, name: str, rows: Sequence[dict[str, Any]], given: Predictions, request_id: str, subject: str | None
    ) -> None:
        """The same rows for the shadow; its answers are counted and logged, never returned."""
        shadow = self.shelf.shadows[name]
        try:
            found = (await shadow.served.lane.ask(rows)).predictions
        except HonedError:
            shadow.failed += len(rows)
            return
        shadow.rows += len(rows)
        shadow.agreed += int(shadow.served.judging.agree(given.labels, found.labels).sum())
        self._record(shadow.served, rows, found, request_id, subject, shadow=True)

    def _record(
        self, served: Served, rows: Sequence[dict[str, Any]], found: Predictions, request_id: str, subject: str | None,
        *, shadow: bool,
    ) -> None:  # fmt: skip
        """Hand over to the log. A log must not fail; one that does all the same harms no answer."""
        if isinstance(self.log, NullLog):
            return
        with contextlib.suppress(Exception):
            inputs = [
                tuple(row[name] for name in served.inputs) for row in decoded(rows, file_fields(served.input_schema))
            ]
            self.log.record(
                served.name, served.version, inputs, found, request_id=request_id, subject=subject, shadow=shadow,
                measured=served.medium.measured,
            )  # fmt: skip

    def record_texts(self, served: Served, drafts: Sequence[Draft], request_id: str, subject: str | None) -> None:
        """Hand written texts over to the log; a model that knows no rows has no use for that."""
        told = [(tuple(draft.row), draft.text, draft.end) for draft in drafts if draft.row is not None and draft.end]
        if not told or isinstance(self.log, NullLog):
            return
        unsure = np.array([not text or end["finish"] != "stop" for _, text, end in told])
        found = Predictions(np.zeros(len(told)), [text for _, text, _ in told], None, None, unsure)
        with contextlib.suppress(Exception):
            self.log.record(
                served.name, served.version, [row for row, _, _ in told], found, request_id=request_id, subject=subject,
                measured=served.medium.measured,
            )  # fmt: skip

    async def reload(self, name: str, path: Path | None = None) -> Served:
        """See :meth:`Shelf.reload`."""
        served = await self.shelf.reload(name, path)
        self.metrics.watch(served)
        return served

    async def reload_all(self) -> None:
        """Look at every bundle's folder again (SIGHUP); one that cannot be opened leaves the old version in place."""
        for name in list(self.shelf.versions):
            try:
                await self.reload(name)
            except HonedError as error:
                print(f"honed: {name} was not reloaded: {error}", flush=True)

    def health(self) -> dict[str, Any]:
        """``ok``, or ``degraded`` when answers are not kept as asked."""
        log = self.log.health()
        return {"status": "ok" if log["ok"] else "degraded", "log": log}

    def models(self) -> list[dict[str, Any]]:
        """What /api/models shows."""
        found = []
        for name, versions in self.shelf.versions.items():
            shadow = self.shelf.shadows.get(name)
            found.append({
                "name": name, "default_version": self.shelf.default[name],
                "versions": [served.as_dict() for served in versions.values()],
                "shadow": shadow.as_dict() if shadow else None,
            })  # fmt: skip
        return found
