"""Objects that were found against those that are there, picture by picture, and what only detectors have to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from honed.data.pictures import open_picture
from honed.errors import DataError
from honed.files import as_uri
from honed.metrics.detection.coco import coco_figures
from honed.metrics.detection.error_kinds import error_kinds
from honed.metrics.detection.intervals import ap_intervals
from honed.metrics.detection.matching import match
from honed.metrics.detection.operating import operating_points
from honed.networks.detection.packing import TOLD, pack, unpack, width_of
from honed.tasks.answers import Array, Predictions
from honed.tasks.detection.doubts import doubts
from honed.tasks.detection.given import as_given, compared, in_words, matched, pair_of
from honed.tasks.detection.scores import told_counts
from honed.tasks.detection.shapes import Shapes, shapes_of
from honed.tasks.judging import Counts, Detail, Doubt, Judging

if TYPE_CHECKING:
    from honed.tasks.contract import Problem

WORTH_COMPARING, LONGEST, MAY_FLIP = 0.05, 640, 200
"""Score from which a difference matters; pixels of the longer side of drawn pictures; one of so many objects may differ."""
KIND_WORDS = {
    "classification": "right place, wrong label", "localisation": "right label, place is off",
    "both": "label and place are off", "duplicate": "found twice", "background": "nothing is there",
    "missed": "not found",
}  # fmt: skip


class ObjectJudging(Judging):
    """Targets are arrays of :class:`Shapes`, answers packed rows."""

    tells_places: ClassVar[bool] = True

    def right(self, truth: Array, given: Array) -> Array:
        """True where every object is told with its label and nothing else is."""
        return self.errors(truth, given) == 0

    def errors(self, truth: Array, given: Array) -> Array:
        """Missed objects and false ones, as a share of all of the picture's: 0 is perfect, 1 has nothing right."""
        hits, told, true = (counts.sum(axis=1) for counts in told_counts(truth, given, _labels(truth, given)))
        strange = np.array([int((target.labels < 0).sum()) for target in truth], dtype=np.int64)
        wrong = told - hits + true - hits + strange
        return np.asarray(wrong / np.maximum(1, wrong + hits), dtype=float)

    def same(self, first: Array, second: Array) -> Array:
        """True where the second answer tells the objects of the first."""
        return self.right(_as_targets(first), second)

    def agree(self, first: list[Any], second: list[Any]) -> Array:
        """True where both tell the same objects: each label as often, in boxes that overlap by half."""
        labels = tuple(sorted({item["label"] for answer in [*first, *second] for item in answer}))
        told, wanted = self.from_words(second, first, labels)
        return self.right(wanted, told)

    def changed(self, first: Array, second: Array) -> float:
        """Share of the objects told that one of the two does not tell."""
        if not len(first):
            return 0.0
        truth = _as_targets(first)
        hits, told, true = (counts.sum() for counts in told_counts(truth, second, _labels(truth, second)))
        return float(1 - 2 * hits / (told + true)) if told + true else 0.0

    def counts(self, truth: Array, given: Array, n_labels: int) -> Counts:
        hits, told, true = told_counts(truth, given, _numbered(n_labels))
        return Counts(true, told, hits)

    def census(self, targets: Array, n_labels: int) -> Array:
        """Objects of each label."""
        every = [target.labels[~target.crowd] for target in targets if target is not None]
        known = np.concatenate([np.zeros(0, dtype=np.int64), *every])
        return np.bincount(known[known >= 0], minlength=n_labels)

    def graded(self, truth: Array, answers: Predictions) -> tuple[Array, Array] | None:
        """Score and rightness of every object that was found, also of those that are not told."""
        found = matched(truth, answers.encoded, _labels(truth, answers.encoded), thresholds=(0.5,))
        counts = ~found.ignored[:, 0] & (found.score >= WORTH_COMPARING)
        return found.score[counts].astype(float), found.hit[counts, 0].astype(float)

    def worst(self, truth: Array, answers: Predictions) -> Array:
        """Pictures with mistakes, those with most first."""
        hits, told, true = (
            counts.sum(axis=1) for counts in told_counts(truth, answers.encoded, _labels(truth, answers.encoded))
        )
        wrong = told + true - 2 * hits
        order = np.argsort(-wrong, kind="stable")
        return order[wrong[order] > 0]

    def named(self, encoded: Any, labels: tuple[str, ...]) -> str:
        """Such as "3 bolt, 1 nut"."""
        if isinstance(encoded, Shapes):
            found = encoded.labels[~encoded.crowd]
        else:
            packed = unpack(np.asarray(encoded)[None])
            found = packed.labels[0][packed.told[0] & packed.there[0]]
        counts = [(int((found == k).sum()), label) for k, label in enumerate(labels)]
        strange = int((found < 0).sum())
        parts = [f"{n} {label}" for n, label in counts if n] + ([f"{strange} unknown"] if strange else [])
        return ", ".join(parts) or "nothing"

    def picture(self, row: Any, truth: Any, given: Any, labels: tuple[str, ...]) -> str:
        """What is there, thin and white, and what was found, in the colours of the labels."""
        from honed.media.colours import class_colours
        from honed.media.drawn_objects import drawn
        from honed.media.picture_edits import encoded

        try:
            picture = open_picture(row[0])
        except DataError:
            return ""
        given = np.zeros(width_of(False), np.float32) if given is None else given
        found = in_words(unpack(np.asarray(given)[None]), 0, labels)
        true = in_words(unpack(as_given([truth], np.asarray(given)[None])), 0, labels)
        image = drawn(picture, found, truth=true, most_side=LONGEST, colours=class_colours(labels))
        return as_uri(encoded(image, "JPEG", quality=80), "image/jpeg")

    def doubts(self, truth: Array, given: Array, labels: tuple[str, ...]) -> list[Doubt]:
        """Objects that nobody annotated, and those far beside their box."""
        return doubts(truth, given, labels)

    def from_words(self, answers: list[Any], truths: list[Any], labels: tuple[str, ...]) -> tuple[Array, Array]:
        """By their boxes alone."""
        index = {label: k for k, label in enumerate(labels)}
        rows, targets = np.zeros((len(answers), width_of(False)), np.float32), np.empty(len(truths), dtype=object)
        for row, (answer, truth) in enumerate(zip(answers, truths, strict=True)):
            told = [item for item in answer if item["label"] in index]
            boxes = np.array([item["box"] for item in told], dtype=np.float32).reshape(-1, 4)
            scores, names = [item["score"] for item in told], [index[item["label"]] for item in told]
            rows[row] = pack((0, 0), boxes, np.array(scores), np.array(names), None, False)
            packed = unpack(rows[row : row + 1])
            packed.objects[..., TOLD] = packed.there
            boxed = [{**item, "box_xyxy": item.get("box_xyxy", item.get("box"))} for item in truth]
            targets[row] = shapes_of(boxed, (0, 0), index, False)
        return rows, targets

    def details(self, truth: Array, given: Array, problem: Problem, seed: int) -> list[Detail]:
        """Average precision by label and size, kinds of errors, and what is told at the thresholds in use."""
        labels = problem.labels
        truths, found = pair_of(truth, given, labels)
        told, iou = pair_of(truth, given, labels, only_told=True)[1], compared(found)
        matches = match(truths, found, iou=iou)
        figures, spread = coco_figures(truths, found, iou=iou), ap_intervals(matches, n=300, seed=seed)
        return [
            _twelve(figures.twelve()),
            _by_label(figures, spread, truths, labels),
            _kinds(error_kinds(truths, told, iou=iou)),
            _points(truth, given, labels),
            _crossing(matches, labels, problem.extra.get("costs", {})),
        ]

    def differ(self, found: Array, wanted: Array) -> float:
        """Largest difference of what was found, whatever its order: of scores, and of boxes as a share of their size; objects
        with scores below 0.05 do not matter, and one in 200 may differ more: of two boxes that are equally good the last
        digit decides which one stays."""
        if found.shape != wanted.shape or not np.isfinite(found).all():
            return float("inf")
        first, second = unpack(found), unpack(wanted)
        pairs = ((first, second), (second, first))
        return max((_all_but_few(_one_way(*pair, row) for row in range(len(found))) for pair in pairs), default=0.0)


def _all_but_few(gaps: Iterable[list[float]]) -> float:
    every = sorted(gap for some in gaps for gap in some)
    return every[-1 - len(every) // MAY_FLIP] if every else 0.0


def _one_way(first: Any, second: Any, row: int) -> list[float]:
    """How far each object of the first is from its like in the second."""
    found = []
    others = np.flatnonzero(second.there[row])
    for k in np.flatnonzero(first.there[row]):
        score, box, label = first.scores[row, k], first.boxes[row, k], first.labels[row, k]
        if score < WORTH_COMPARING:
            continue
        alike = others[second.labels[row, others] == label]
        side = max(1.0, float(box[2] - box[0]), float(box[3] - box[1]))
        off = np.abs(second.boxes[row, alike] - box).max(axis=1, initial=0.0) / side
        gap = np.maximum(off, np.abs(second.scores[row, alike] - score))
        found.append(float(gap.min(initial=float(score))))
    return found


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(n))


def _labels(truth: Any, given: Array) -> tuple[str, ...]:
    """Stand-ins for the names of the labels, as many as occur."""
    most = int(unpack(np.asarray(given)).labels.max(initial=0))
    return _numbered(1 + max([most, *(int(target.labels.max(initial=0)) for target in truth)]))


def _as_targets(given: Array) -> Array:
    """What is told as if it were the truth."""
    packed = unpack(np.asarray(given))
    targets = np.empty(len(given), dtype=object)
    for row in range(len(given)):
        told = packed.told[row] & packed.there[row]
        size = (int(packed.size[row, 0]), int(packed.size[row, 1]))
        outlines = None
        if packed.cells is not None:
            numbers = _numbered(1 + int(packed.labels.max(initial=0)))
            outlines = tuple(one["mask"]["counts"] for one in in_words(packed, row, numbers))
        targets[row] = Shapes(
            size, packed.boxes[row][told], packed.labels[row][told], np.zeros(told.sum(), bool), outlines
        )
    return targets


def _twelve(figures: Mapping[str, float]) -> Detail:
    words = {
        "ap": "AP, IoU 0.50 to 0.95", "ap50": "AP at IoU 0.50", "ap75": "AP at IoU 0.75", "ap_small": "AP, small objects",
        "ap_medium": "AP, medium", "ap_large": "AP, large", "ar1": "AR, 1 a picture", "ar10": "AR, 10 a picture",
        "ar100": "AR, 100 a picture", "ar_small": "AR, small objects", "ar_medium": "AR, medium", "ar_large": "AR, large",
    }  # fmt: skip
    rows = [(words[name], _share(value)) for name, value in figures.items()]
    note = "Small is under 32 x 32 pixels, large over 96 x 96. AR is the share of objects found."
    return Detail("The twelve figures of COCO", ("figure", "value"), rows, note)


def _by_label(figures: Any, spread: Any, truths: Any, labels: tuple[str, ...]) -> Detail:
    counts = np.bincount(truths.label[~truths.crowd], minlength=len(labels))
    rows = [
        (
            label, int(counts[k]), _interval(spread.by_label[k]), _interval(spread.ap50_by_label[k]),
            *(_share(value) for value in figures.ap_by_label_and_size[k]),
        )
        for k, label in enumerate(labels)
    ]  # fmt: skip
    return Detail("Average precision by label", ("label", "objects", "AP", "AP50", "small", "medium", "large"), rows)


def _kinds(found: Any) -> Detail:
    rows = [(KIND_WORDS[kind.name], kind.n, _share(max(0.0, kind.gain))) for kind in found.kinds]
    note = "Of the objects told: what mending all errors of one kind would add to their AP50."
    return Detail("Kinds of errors", ("error", "how many", "AP50 lost"), rows, note)


def _points(truth: Array, given: Array, labels: tuple[str, ...]) -> Detail:
    hits, told, true = (counts.sum(axis=0) for counts in told_counts(truth, given, labels))
    packed = unpack(given)
    rows = []
    for k, label in enumerate(labels):
        scores = packed.scores[packed.told & packed.there & (packed.labels == k)]
        least = float(scores.min()) if len(scores) else float("nan")
        rows.append((label, _number(least), int(hits[k]), int(told[k] - hits[k]), int(true[k] - hits[k])))
    note = "At the thresholds that were chosen on validation pictures (--cost LABEL=2 makes a missed one dearer)."
    return Detail("What is told", ("label", "least score told", "right", "false", "missed"), rows, note)


def _crossing(matches: Any, labels: tuple[str, ...], costs: Mapping[str, float]) -> Detail:
    points = operating_points(matches, miss_cost=[float(costs.get(label, 1.0)) for label in labels])
    rows = [(point.label, _number(point.threshold), _share(point.precision), _share(point.recall)) for point in points]
    note = "The threshold that would have cost least on these very pictures, for comparison."
    return Detail("Best thresholds in hindsight", ("label", "threshold", "precision", "recall"), rows, note)


def _share(value: float) -> Any:
    return None if not np.isfinite(value) else round(float(value), 4)


def _number(value: float) -> Any:
    return None if not np.isfinite(value) else round(min(1.0, float(value)), 3)


def _interval(found: Any) -> Any:
    if not np.isfinite(found.value):
        return None
    return (round(float(found.value), 4), round(float(found.low), 4), round(float(found.high), 4))
