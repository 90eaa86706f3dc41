"""Made-up scenes in COCO's format: objects on pictures, and what a middling detector finds of them."""

from __future__ import annotations

from typing import Any

import numpy as np

Document = dict[str, Any]
WIDTH, HEIGHT = 640.0, 480.0


def scenes(
    n_pictures: int, n_labels: int, objects: float, found: int, seed: int = 0
) -> tuple[Document, list[Document]]:
    """A COCO annotation file and a results file, as parsed JSON.

    Objects have labels of very unequal frequency and sizes from 10 pixels to half the picture, one in sixty is a crowd.
    The detector finds each with a probability that grows with its size, shakes the box, sometimes finds it twice, sometimes
    names another label, and fills up to ``found`` detections a picture with boxes of nothing that have low scores.
    """
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, n_labels + 1) ** 0.8
    picture = np.repeat(np.arange(n_pictures), rng.poisson(objects, n_pictures))
    label = rng.choice(n_labels, len(picture), p=frequency / frequency.sum())
    boxes = _boxes(rng, len(picture))
    crowd = rng.random(len(picture)) < 1 / 60
    annotations = _entries(picture, label, boxes)
    share = rng.uniform(0.4, 1.0, len(picture))
    for number, entry in enumerate(annotations):
        entry["iscrowd"] = int(crowd[number])
        entry["area"] = float(round(boxes[number, 2] * boxes[number, 3] * share[number], 2))
    images = [{"id": i + 1, "width": int(WIDTH), "height": int(HEIGHT)} for i in range(n_pictures)]
    categories = [{"id": i + 1, "name": f"label {i + 1}"} for i in range(n_labels)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return document, _results(rng, picture, label, boxes, n_pictures, n_labels, found)


def _boxes(rng: np.random.Generator, n: int) -> Any:
    size = np.exp(rng.normal(4.1, 0.9, (n, 2))).clip(8, [WIDTH / 2, HEIGHT / 2])
    corner = rng.random((n, 2)) * ([WIDTH, HEIGHT] - size)
    return np.concatenate([corner, size], axis=1).round(2)


def _results(
    rng: np.random.Generator, picture: Any, label: Any, boxes: Any, n: int, n_labels: int, found: int
) -> list[Document]:
    tries = np.repeat(np.arange(len(picture)), 1 + (rng.random(len(picture)) < 0.3))
    big = np.sqrt(boxes[tries, 2] * boxes[tries, 3])
    tries = tries[rng.random(len(tries)) < 0.35 + 0.55 * (big / (big + 40))]
    near = boxes[tries] + rng.normal(0, 0.09, (len(tries), 4)) * np.tile(boxes[tries, 2:], 2)
    near[:, 2:] = near[:, 2:].clip(2)
    wrong = rng.random(len(tries)) < 0.12
    named = np.where(wrong, rng.integers(0, n_labels, len(tries)), label[tries])
    sure = rng.beta(4, 2, len(tries)) * np.where(wrong, 0.7, 1.0)
    have = np.bincount(picture[tries], minlength=n)
    nothing = np.repeat(np.arange(n), np.maximum(0, found - have))
    pictures = np.concatenate([picture[tries], nothing])
    labels = np.concatenate([named, rng.integers(0, n_labels, len(nothing))])
    places = np.concatenate([near, _boxes(rng, len(nothing))]).round(2)
    scores = np.concatenate([sure, rng.beta(1, 12, len(nothing))]).round(4)
    results = _entries(pictures, labels, places)
    for entry, score in zip(results, scores.tolist(), strict=True):
        entry["score"] = score
    return results


def _entries(picture: Any, label: Any, boxes: Any) -> list[Document]:
    columns = zip((picture + 1).tolist(), (label + 1).tolist(), boxes.tolist(), strict=True)
    return [{"id": i, "image_id": p, "category_id": c, "bbox": box} for i, (p, c, box) in enumerate(columns, 1)]
