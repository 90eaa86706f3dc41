"""The curve of a training: loss of every step, smoothed, and the held-out loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

from honed.report.plots import WIDTH, _svg, _text

MOST = 400
"""Points that are drawn."""


def loss_curve(points: Sequence[tuple[int, float, float | None]]) -> str:
    """Steps against training loss (a line) and held-out loss (dots); "" where there are fewer than two steps."""
    if len(points) < 2:
        return ""
    steps, losses = smoothed([(step, loss) for step, loss, _ in points])
    held = [(step, value) for step, _, value in points if value is not None]
    every = [*losses, *(value for _, value in held)]
    low, high = min(every), max(every)
    left, right, top, bottom, last = 56.0, WIDTH - 12.0, 14.0, 230.0, points[-1][0]

    def x(step: float) -> float:
        return left + (right - left) * step / last

    def y(loss: float) -> float:
        return bottom - (bottom - top) * (loss - low) / (high - low or 1)

    path = " ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in zip(steps, losses, strict=True))
    parts = [
        f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>',
        *(_text(left - 8, y(value) + 4, f"{value:.2f}", "end", "small") for value in (low, (low + high) / 2, high)),
        f'<polyline class="line" points="{path}"/>',
        *(f'<circle class="dot second" cx="{x(step):.1f}" cy="{y(loss):.1f}" r="4"/>' for step, loss in held),
        _text(left, bottom + 18, "0", "middle", "small"),
        _text(right, bottom + 18, f"{last:,} steps", "end", "small"),
        f'<line class="line" x1="{left}" x2="{left + 16}" y1="{bottom + 38}" y2="{bottom + 38}"/>',
        _text(left + 24, bottom + 42, "loss of the text learnt from", "start", "small"),
        f'<circle class="dot second" cx="{left + 260}" cy="{bottom + 38}" r="4"/>',
        _text(left + 272, bottom + 42, "loss of held-out text", "start", "small"),
    ]
    return _svg(bottom + 54, "Loss in nats a token, step by step", parts)


def smoothed(points: Sequence[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """At most :data:`MOST` means of neighbouring points."""
    size = math.ceil(len(points) / MOST)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    steps = [sum(step for step, _ in group) / len(group) for group in groups]
    return steps, [sum(loss for _, loss in group) / len(group) for group in groups]
