"""How often 95 % intervals of average precision hold the true figure: samples of pictures from made-up scenes.

    python benchmarks/detection_intervals.py [--rounds 200] [--cases 0 1 2 3 4]

The truth is the figure of all 8,000 pictures. Honed's intervals stand beside plain percentiles of the same resamples, and the
difference of two detectors, of which the second has shaken scores, beside that.
"""

from __future__ import annotations

import argparse

import numpy as np
from common import record
from generated_scenes import scenes

from honed.metrics.detection import (
    Matches,
    ap_difference,
    ap_intervals,
    average_precision,
    detections_from_coco,
    match,
    mean_over_labels,
    truths_from_coco,
)

PICTURES = 8000
CASES = ((3, 30, 2.0, 3), (3, 60, 5.0, 12), (3, 300, 5.0, 12), (10, 500, 5.0, 5), (20, 200, 5.0, 12))
"""Labels, pictures in a sample, objects and detections on a picture."""


def two_detectors(labels: int, objects: float, found: int) -> tuple[Matches, Matches]:
    """Matches of a detector on all pictures, and of one that orders its detections worse."""
    document, results = scenes(PICTURES, labels, objects, found, seed=1)
    noise = np.random.default_rng(2).normal(0, 0.1, len(results))
    worse = [{**entry, "score": entry["score"] + shake} for entry, shake in zip(results, noise.tolist(), strict=True)]
    coco = truths_from_coco(document)
    first, second = (match(coco.truth, detections_from_coco(rows, coco)) for rows in (results, worse))
    return first, second


def overall(matches: Matches, weights: np.ndarray | None = None) -> np.ndarray:
    """Average precision over all overlaps, one figure a weighting."""
    return mean_over_labels(average_precision(matches, weights))


def percentiles(matches: Matches, n: int, rng: np.random.Generator) -> tuple[float, float]:
    """The plain bootstrap interval."""
    size = matches.n_pictures
    low, high = np.percentile(overall(matches, rng.multinomial(size, np.full(size, 1 / size), size=n).T), [2.5, 97.5])
    return float(low), float(high)


def case(labels: int, size: int, objects: float, found: int, rounds: int, n: int = 300) -> None:
    """Count over samples how often each interval holds the truth."""
    first, second = two_detectors(labels, objects, found)
    true, gap = float(overall(first)[0]), float(overall(first)[0] - overall(second)[0])
    true50 = float(mean_over_labels(average_precision(first)[:1])[0])
    rng = np.random.default_rng(5)
    held = np.zeros((rounds, 4))
    figures, widths = np.zeros(rounds), np.zeros(rounds)
    for number in range(rounds):
        chosen = np.zeros(PICTURES, dtype=bool)
        chosen[rng.choice(PICTURES, size, replace=False)] = True
        sample, other = first.on(chosen), second.on(chosen)
        mine = ap_intervals(sample, n=n, seed=number)
        low, high = percentiles(sample, n, rng)
        difference = ap_difference(sample, other, n=n, seed=number).ap
        figures[number], widths[number] = mine.ap.value, mine.ap.high - mine.ap.low
        held[number] = (
            mine.ap.low <= true <= mine.ap.high,
            mine.ap50.low <= true50 <= mine.ap50.high,
            low <= true <= high,
            difference.low <= gap <= difference.high,
        )
    shares = held.mean(axis=0).round(3).tolist()
    record(
        "detection_intervals",
        {
            "labels": labels, "pictures": size, "objects_a_picture": objects, "detections_a_picture": found,
            "rounds": rounds, "true_ap": round(true, 4), "mean_ap_of_samples": round(float(figures.mean()), 4),
            "mean_width": round(float(widths.mean()), 4), "held_ap": shares[0], "held_ap50": shares[1],
            "held_by_plain_percentiles": shares[2], "held_difference": shares[3],
        },
    )  # fmt: skip


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))))
    given = parser.parse_args()
    for labels, size, objects, found in [CASES[number] for number in given.cases]:
        case(labels, size, objects, found, given.rounds)


if __name__ == "__main__":
    main()
