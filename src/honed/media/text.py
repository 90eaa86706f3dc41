"""Texts, alone or in pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from honed.checks import columns, duplicates, labels, leakage, personal_data
from honed.checks.duplicates import joined_texts
from honed.checks.shingles import cluster_near_duplicates
from honed.media import text_edits, text_forms, text_likeness, text_probes
from honed.media.medium import Array, Check, Edit, Input, Looked, Medium

MOST_WORDS = 40


class Text(Medium):
    """What can be said of texts: near copies by shared groups of letters, edits that keep the meaning, words that matter."""

    name: ClassVar[str] = "text"
    one: ClassVar[str] = "text"
    many: ClassVar[str] = "texts"
    general_words: ClassVar[str] = "general English sentences"
    example: ClassVar[list[Any]] = ["My laptop does not start."]

    def empty(self, rows: Sequence[Input]) -> Array:
        return np.array([all(isinstance(part, str) and not part.strip() for part in row) for row in rows], dtype=bool)

    def clusters(self, table: Any, columns: tuple[str, ...], seed: int) -> Array | None:
        return cluster_near_duplicates(joined_texts(table, columns), seed=seed)

    def checks(self, looked: Looked) -> dict[str, Check]:
        table, texts, targets = looked.table, looked.columns, looked.targets
        found: dict[str, Check] = {
            "texts": lambda: columns.check_texts(table, texts),
            "personal data": lambda: personal_data.check_personal(table, texts),
            "duplicates": lambda: duplicates.check_duplicates(table, texts, looked.clusters, looked.seed),
        }
        split = looked.split
        if split is not None and len(split.test):
            found["split"] = lambda: duplicates.check_across_split(table, texts, split, looked.clusters)
        if targets is not None:
            found["conflicts"] = lambda: duplicates.check_conflicts(table, texts, targets)
            found["leaking words"] = lambda: leakage.check_leaking_words(table, looked.roles, targets, looked.labels)
            found["label errors"] = lambda: labels.check_label_errors(
                table, looked.roles, targets, looked.labels, looked.seed
            )
        return found

    def hash_of(self, row: Input) -> int:
        return text_likeness.input_hash(row)

    def sketches(self, rows: Sequence[Input]) -> Array:
        return text_likeness.sketches(rows)

    def nearly_seen(self, rows: Sequence[Input], known: Array) -> Array:
        return text_likeness.nearly_seen(rows, known)

    def edits(self) -> Sequence[Edit]:
        return text_edits.EDITS

    def variants(self, row: Input) -> list[Input]:
        changes = (
            str,
            lambda text: text[: len(text) // 2],
            lambda text: f"{text} {text.upper()}",
            lambda text: " ".join([text] * 9),
        )
        return [tuple(change(part) for part in row) for change in changes]

    def forms(self, rows: Sequence[Input]) -> Mapping[str, Array]:
        texts = [" ".join(row) for row in rows]
        return {**text_forms.by_form(texts), **text_forms.by_word(texts)}

    def out_of_scope(self, n_columns: int) -> list[Input]:
        return [(text,) + ("",) * (n_columns - 1) for text in text_probes.OUT_OF_SCOPE]

    def general(self, n_columns: int) -> list[Input]:
        return [(text,) + ("",) * (n_columns - 1) for text in text_probes.GENERAL]

    def shown(self, row: Input) -> str:
        return personal_data.mask_personal(" | ".join(str(part) for part in row))

    def pieces(self, row: Input) -> list[tuple[str, Input]]:
        """The words of the first text; personal data is masked in their names."""
        first = str(row[0])
        spans = list(re.finditer(r"\S+", first))[:MOST_WORDS]
        secret = personal_data.personal_spans(first)
        return [
            (
                "***" if any(a < span.end() and span.start() < b for a, b in secret) else span.group(0),
                (first[: span.start()] + first[span.end() :], *row[1:]),
            )
            for span in spans
        ]
