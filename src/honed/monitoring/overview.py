"""Monitoring for a server: a summary as plain JSON for its page, and gauges for its metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from honed.errors import MonitorError
from honed.model import Model
from honed.monitoring.analyse import WindowSize, analyse
from honed.monitoring.logread import opened, reading, shown
from honed.monitoring.reference import Watched, watch
from honed.monitoring.results import Monitoring
from honed.monitoring.truth import Truth
from honed.monitoring.upkeep import acknowledged_at

MOST_WINDOWS = 120
STATES = {"ok": 0.0, "too early": 0.0, "alert": 1.0}


def monitor_log(watched: Watched, target: str | Path, size: WindowSize) -> Monitoring:
    """A log against the reference of a bundle.

    Raises
    ------
    MonitorError [M001, M002, M006, M008]
    """
    with opened(target) as store:
        read = reading(store, target, watched)
        result = analyse(
            watched,
            read.batches(),
            read.truth(),
            size=size,
            source=shown(target),
            before=read.before(),
            acknowledged=acknowledged_at(store, watched),
        )
        kept = {**vars(result), "n_skipped": read.skipped, "examples": _examples(read, result)}
    return Monitoring(**kept)


def _examples(read: Any, result: Monitoring) -> list[str]:
    """A few of the rows, as the log kept them, of the newest window with an alert."""
    import datetime
    import json

    numbers = [alert.last for alert in result.alerts if alert.family != "performance"]
    window = next((one for one in result.windows if numbers and one.number == max(numbers)), None)
    if window is None:
        return []
    start, end = (int(datetime.datetime.fromisoformat(one).timestamp() * 1000) for one in (window.start, window.end))
    return [" | ".join(str(part) for part in json.loads(text)) for text in read.texts(start, end + 999)]


def no_truth() -> Truth:
    """No label has arrived."""
    return Truth(np.zeros(0, dtype=np.int64), [], [], np.zeros(0, dtype=np.int64))


def summary(log: Any, bundle: str | Path | Model) -> dict[str, Any]:
    """What a page shows: state, headline, alerts, advice, and figures over the newest windows as lists for plots.

    Parameters
    ----------
    log : path, URL, or PredictionLog
    bundle : path of a bundle, or an opened Model

    Returns
    -------
    dict
        Plain JSON types. ``state`` is "no data" with a ``headline`` that says why where there is nothing to show yet.
    """
    target = getattr(log, "target", log)
    health = log.health() if hasattr(log, "health") else None
    try:
        watched = watch(bundle)
        key = (str(target), str(watched.folder), watched.version, *_sizes(target))
        if _kept.get("key") != key:
            _kept.update(key=key, brief=brief(monitor_log(watched, target, WindowSize())))
    except MonitorError as error:
        return {"state": "no data", "headline": error.seen, "code": error.code, "health": health}
    return {**_kept["brief"], "health": health}


_kept: dict[str, Any] = {}
"""The newest summary: it is worked out anew only when the log has grown by enough to be worth it."""
STEP_ROWS, STEP_LABELS = 100, 10


def _sizes(target: str | Path) -> tuple[Any, ...]:
    with opened(target) as store:
        rows = store.ask("SELECT COUNT(*) FROM predictions")[0][0]
        labels = store.ask("SELECT COUNT(*) FROM labels")[0][0]
        facts = store.ask("SELECT name, value FROM meta ORDER BY name")
    return rows // STEP_ROWS, labels // STEP_LABELS, tuple(fact[1] for fact in facts)


def brief(result: Monitoring) -> dict[str, Any]:
    """The result with its newest windows turned into lists for plots."""
    whole = result.as_dict()
    windows = whole.pop("windows")[-MOST_WINDOWS:]
    names = (
        "number",
        "start",
        "end",
        "n",
        "complete",
        "unsure",
        "confidence",
        "distance",
        "n_labelled",
        "estimated",
        "real",
        "labels",
    )
    series = {name: [window[name] for window in windows] for name in names}
    series["alerts"] = [len(window["checks"]) for window in windows]
    whole["series"] = series
    return whole


def gauges(result: Monitoring) -> dict[str, float]:
    """Figures for Prometheus by name; those that are not known are left out."""
    found: dict[str, float | None] = {
        "honed_monitor_alert": STATES[result.state],
        "honed_monitor_alerts": float(len(result.alerts)),
        "honed_monitor_rows": float(result.n_rows),
        "honed_monitor_labelled_rows": float(result.n_labelled),
        "honed_monitor_estimated_share_right": result.expected.value if result.expected else None,
        "honed_monitor_share_right": result.real.value if result.real else None,
    }
    if result.windows:
        last = result.windows[-1]
        found |= {
            "honed_monitor_share_unsure": last.unsure,
            "honed_monitor_confidence": last.confidence,
            "honed_monitor_distance": last.distance,
        }
    families = ("quality", "inputs", "vectors", "predictions", "estimate", "performance")
    for family in families:
        found[f"honed_monitor_alerts_{family}"] = float(sum(alert.family == family for alert in result.alerts))
    return {name: value for name, value in found.items() if value is not None}
