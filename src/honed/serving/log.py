"""Where answers are kept, seen from the server: anything with these four methods will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from honed.tasks.contract import Input, Predictions


class PredictionLog(Protocol):
    """Takes the rows of answered requests; never blocks, never fails. ``honed.monitoring.PredictionLog`` is one."""

    def record(
        self,
        model: str,
        version: str,
        inputs: Sequence[Input],
        predictions: Predictions,
        *,
        request_id: str,
        subject: str | None = None,
        shadow: bool = False,
        measured: Callable[[Input], Input] | None = None,
    ) -> Any:
        """Hand over the rows of one request."""

    def label(self, request_id: str, row: int, label: Any) -> bool:
        """Attach the truth to an answer; True when it is kept."""

    def health(self) -> dict[str, Any]:
        """``{"ok": bool, "written": int, "dropped": int, "reason": str}``."""

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, then stop."""


class NullLog:
    """Keeps nothing."""

    def record(self, *args: Any, **named: Any) -> None:
        """Nothing is kept."""

    def label(self, request_id: str, row: int, label: Any) -> bool:
        """No answer is known."""
        return False

    def health(self) -> dict[str, Any]:
        """Always well."""
        return {"ok": True, "written": 0, "dropped": 0, "reason": ""}

    def close(self, timeout_s: float = 10.0) -> None:
        """Nothing waits."""
