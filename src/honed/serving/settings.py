"""What a server can be told: limits, places, and who may ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from harming the others.

    Parameters
    ----------
    body_mib : float
        Largest request body.
    rows : int
        Most rows in one request.
    batch_rows : int
        Most rows the worker computes at once.
    queue_rows : int
        Most rows that wait for one version; more are answered with 429.
    request_s, body_s, header_s : float
        Longest time for an answer, for a body to arrive, and for the head of a request to arrive.
    connections : int
        Most connections at a time.
    silence_s, hang_s : float
        A worker that says nothing for this long is not ready, and replaced when it does nothing either; after
        ``hang_s`` it is replaced whatever it does.
    start_s : float
        Longest time in which a worker must have its model ready.
    drain_s : float
        Longest time that accepted requests get when the server stops.
    slots, queue_texts : int
        Texts that a model writes at a time, and most that wait for their turn; more are answered with 429.
    write_s : float
        Longest time for a written text.
    """

    body_mib: float = 8.0
    rows: int = 1_000
    batch_rows: int = 64
    queue_rows: int = 4_096
    request_s: float = 30.0
    body_s: float = 10.0
    header_s: float = 10.0
    connections: int = 1_000
    silence_s: float = 1.5
    hang_s: float = 5.0
    start_s: float = 300.0
    drain_s: float = 30.0
    slots: int = 16
    queue_texts: int = 256
    write_s: float = 300.0


@dataclass(frozen=True)
class Admission:
    """Which bundles may be served.

    Parameters
    ----------
    signed_by : path or None
        Public key that must have signed every bundle.
    unfit_because : str
        Reason why a bundle with the verdict "do not ship" is served all the same; empty refuses it.
    engine : str
        What computes the answers; see ``honed engines``.
    weights : str
        In what format texts are written: "float32", "bfloat16", "int8", "int4", or "auto" for the fastest that agrees on this machine.
    """

    signed_by: Path | None = None
    unfit_because: str = ""
    engine: str = "torch-fp32"
    weights: str = "float32"


@dataclass(frozen=True)
class Settings:
    """All settings of a server."""

    limits: Limits = field(default_factory=Limits)
    admission: Admission = field(default_factory=Admission)
    folders: tuple[Path, ...] = ()
