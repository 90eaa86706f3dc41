"""From rows to a result: windows, looks, alerts, estimates, and what to do."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from honed.monitoring.advice import advice_for, limits_of
from honed.monitoring.compare import compare, estimated, largest_distance
from honed.monitoring.looks import ALPHA, DRIFT_SHARE, Look, Looks
from honed.monitoring.reference import Watched
from honed.monitoring.results import Alert, Check, Monitoring, State, Window
from honed.monitoring.truth import NEWEST, Judged, Truth, judge, looks_at, real_metrics, share_right, usable
from honed.monitoring.windows import Batch, Counter, Span, by_rows, by_time
from honed.wording import counted


@dataclass(frozen=True)
class WindowSize:
    """So many rows, or so many milliseconds; one of them is 0."""

    rows: int = 1_000
    ms: int = 0

    def __str__(self) -> str:
        if not self.ms:
            return counted(self.rows, "row")
        units = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))
        unit, length = next((unit, length) for unit, length in units if self.ms % length == 0)
        return counted(self.ms // length, unit)


def analyse(
    watched: Watched,
    batches: Iterator[Batch],
    truth: Truth,
    *,
    size: WindowSize,
    source: str,
    before: tuple[int, int | None] = (0, None),
    acknowledged: int = 0,
) -> Monitoring:
    """Compare rows with the reference of their model.

    Parameters
    ----------
    before : (int, int or None)
        Rows deleted for their age and when the first of them came: windows keep their numbers.
    acknowledged : int
        Alerts of windows that ended before this time (UTC milliseconds) are history.
    """
    begin = time.monotonic()
    counter = Counter(watched)
    spans = (
        by_time(batches, counter, size.ms, before[1]) if size.ms else by_rows(batches, counter, size.rows, before[0])
    )
    looks = Looks(lambda counts, budget: compare(counts, watched.reference, budget), ALPHA * DRIFT_SHARE)
    found: list[Span] = []
    taken: list[Look] = []
    for span in spans:
        taken += list(looks.add(span))
        found.append(span)
    truth = usable(watched, truth)
    judged = judge(watched, truth) if len(truth) else None
    by_labels = looks_at(watched, truth, judged) if judged else []
    alerts = sorted(_alerts(taken, acknowledged) + _alerts(by_labels, acknowledged), key=_gravity)
    windows = _windows(watched, found, taken, truth, judged)
    state: State = "alert" if alerts else "ok" if taken or by_labels else "too early"
    real = share_right(judged.good[-NEWEST:]) if judged and not watched.problem.numeric else None
    last = next((span for span in reversed(found) if span.complete), found[-1] if found else None)
    answers = watched.reference.answers
    return Monitoring(
        model=watched.name,
        version=watched.version,
        source=source,
        made=stamp(int(time.time() * 1000)),
        n_rows=sum(span.n for span in found),
        n_skipped=0,
        n_labelled=len(truth),
        window=str(size),
        state=state,
        headline=_headline(state, alerts, found, size),
        alerts=alerts,
        windows=windows,
        expected=estimated(last.counts, watched.reference) if last else None,
        real=real,
        metrics=real_metrics(watched, judged) if judged else [],
        advice=advice_for(watched, alerts, state),
        limits=limits_of(watched, judged is not None),
        reference={"share_right": answers.right / answers.n} if answers and answers.right is not None else {},
        seconds=time.monotonic() - begin,
    )


def stamp(at: int) -> str:
    """UTC milliseconds as ISO 8601."""
    return datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).isoformat(timespec="seconds")


def _headline(state: State, alerts: list[Alert], spans: Sequence[Span], size: WindowSize) -> str:
    n = sum(span.n for span in spans)
    if state == "alert":
        newest = alerts[0]
        more = f" And {counted(len(alerts) - 1, 'other alert')}." if len(alerts) > 1 else ""
        return f"Something changed: {newest.message}{more}"
    if state == "ok":
        return f"Nothing changed that matters, in {counted(n, 'row')}."
    return f"Too early to tell: {counted(n, 'row')} so far, one look takes {size}."


def _alerts(looks: Sequence[Look], acknowledged: int) -> list[Alert]:
    """Checks that fired, one alert each."""
    fired: dict[tuple[str, str], list[tuple[Look, Check]]] = {}
    latest: dict[int, int] = {}
    for look in looks:
        latest[look.scale] = look.last
        for check in look.checks:
            if check.alert and look.end > acknowledged:
                fired.setdefault((check.code, check.name), []).append((look, check))
    found = []
    for (code, name), pairs in fired.items():
        first, last = min(pairs, key=lambda pair: pair[0].last), max(pairs, key=lambda pair: pair[0].last)
        current = any(look.last == latest[look.scale] for look, _ in pairs)
        found.append(
            Alert(
                code,
                last[1].family,
                name,
                last[1].message,
                first[0].last,
                last[0].last,
                stamp(first[0].end),
                len(pairs),
                current,
            )
        )
    return found


def _gravity(alert: Alert) -> tuple[bool, int, str]:
    """What goes on comes first, and wrong answers before rows that are merely different."""
    order = ("M106", "M105", "M101", "M104", "M102", "M103")
    return not alert.current, order.index(alert.code), alert.name


def _windows(
    watched: Watched, spans: Sequence[Span], looks: Sequence[Look], truth: Truth, judged: Judged | None
) -> list[Window]:
    fired: dict[int, list[Check]] = {}
    for look in looks:
        fired.setdefault(look.last, []).extend(check for check in look.checks if check.alert)
    starts = np.array([span.start for span in spans], dtype=np.int64)
    places = np.searchsorted(starts, truth.at, side="right") - 1 if len(spans) else np.zeros(0, dtype=np.int64)
    found = []
    for position, span in enumerate(spans):
        counts, n = span.counts, span.n
        good = judged.good[places == position] if judged else np.zeros(0)
        sure = counts["confidence_sum"] / counts["confidence_n"] if counts["confidence_n"] else None
        labels = (
            dict(zip(watched.problem.labels, (np.asarray(counts["labels"]) / n).round(4).tolist(), strict=True))
            if "labels" in counts
            else {}
        )
        found.append(
            Window(
                span.number, stamp(span.start), stamp(span.end), n, span.complete, counts["unsure"] / n, sure, labels,
                largest_distance(counts, watched.reference), estimated(counts, watched.reference),
                share_right(good) if len(good) and not watched.problem.numeric else None, len(good), fired.get(span.number, []),
            )
        )  # fmt: skip
    return found
