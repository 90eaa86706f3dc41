"""Every error a user can meet, with a stable code.

An error says what was seen, what to do, and where to read more. The same object gives the terminal text,
the exit code and the HTTP body, so the wording lives in one place: where the error is raised.
"""

from __future__ import annotations

from typing import Any


class HonedError(Exception):
    """A problem the user can do something about.

    Parameters
    ----------
    code : str
        One capital letter and three digits, described in ``honed/codes``; ``honed explain CODE`` prints it.
    seen : str
        One sentence: what was found, with names and numbers.
    remedy : str
        One sentence: what to do about it.
    details : dict, optional
        Facts for a program that reads the JSON form.
    """

    exit_code = 2

    def __init__(self, code: str, seen: str, remedy: str = "", *, details: dict[str, Any] | None = None) -> None:
        self.code = code
        self.seen = seen.strip()
        self.remedy = remedy.strip()
        self.details = details or {}
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"[{self.code}]", self.seen, self.remedy, f"More: honed explain {self.code}"]
        return " ".join(part for part in parts if part)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.seen, self.remedy, self.details)

    def as_dict(self) -> dict[str, Any]:
        """The error as plain JSON types: code, seen, remedy, details."""
        return {"code": self.code, "seen": self.seen, "remedy": self.remedy, "details": self.details}


def _rebuild(kind: type[HonedError], code: str, seen: str, remedy: str, details: dict[str, Any]) -> HonedError:
    return kind(code, seen, remedy, details=details)


class DataError(HonedError):
    """The data cannot be read, or cannot serve the task (codes D...)."""


class ConfigError(HonedError):
    """A setting or a command-line argument is wrong (codes C...)."""


class ZooError(HonedError):
    """A base model cannot be found, trusted or loaded (codes Z...)."""


class BundleError(HonedError):
    """A packaged model cannot be written, opened or trusted (codes B...)."""


class RunError(HonedError):
    """A run cannot start, continue or be saved (codes R...)."""


class RungError(RunError):
    """One method cannot be fitted here; the ladder goes on without it."""


class MonitorError(HonedError):
    """A log, a comparison or a deployment cannot be read or changed (codes M...)."""


class ServeError(HonedError):
    """A server cannot start, or cannot answer a request (codes H...)."""


class GenerationError(HonedError):
    """A text cannot be continued as asked (codes G...)."""
