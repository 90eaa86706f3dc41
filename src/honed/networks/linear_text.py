"""The strong cheap baseline: counted words and letters (TF-IDF) with a linear model. No pickle: JSON and safetensors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from honed.tasks.contract import Array, Input, Problem

MOST_FEATURES = 60_000
"""Words and letter groups kept of each kind, the most frequent first."""
MOST_ROWS = 100_000
"""Rows learnt from; more are sampled, for the gain is small and the time is not."""
STRENGTH = 10.0
MOST_WORK = 3e10
"""Multiplications the solver may spend: numbers in the matrix times classes times iterations."""
CHUNK = 4096
KINDS: tuple[dict[str, Any], ...] = (
    {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    {"analyzer": "char_wb", "ngram_range": (2, 4)},
)


def _vectorizers(n: int) -> list[Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    rare = 1 if n < 2000 else 2
    shared = {"sublinear_tf": True, "min_df": rare, "max_features": MOST_FEATURES, "dtype": np.float32}
    return [TfidfVectorizer(**kind, **shared) for kind in KINDS]


def _text(row: Input) -> str:
    """A pair becomes one text; words both sides share are marked, for likeness is what pairs are about."""
    parts = (row,) if isinstance(row, str) else row
    if len(parts) == 1:
        return str(parts[0])
    first, second = set(parts[0].lower().split()), set(" ".join(parts[1:]).lower().split())
    both = [f"both_{word}" for word in sorted(first & second)]
    share = round(10 * len(first & second) / max(1, len(first | second)))
    return " ".join([*parts, *both, f"share_{share}"])


class LinearText:
    """TF-IDF of words and letters, then logistic regression (ridge regression for numbers)."""

    kind = "tfidf-linear"

    def __init__(self, vectorizers: list[Any], weight: Array, bias: Array) -> None:
        self.vectorizers = vectorizers
        self.weight, self.bias = np.asarray(weight, dtype=np.float32), np.asarray(bias, dtype=np.float32)

    @classmethod
    def fit(cls, inputs: Sequence[Input], targets: Array, problem: Problem, seed: int) -> LinearText:
        """Learn vocabulary and weights; deterministic for a seed."""
        rows = np.arange(len(inputs))
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
        texts = [_text(inputs[int(row)]) or " " for row in rows]
        vectorizers = _vectorizers(len(texts))
        try:
            matrix = _stack([vectorizer.fit_transform(texts) for vectorizer in vectorizers])
        except ValueError:
            vectorizers = _vectorizers(1)
            matrix = _stack([vectorizer.fit_transform([*texts, "empty"])[:-1] for vectorizer in vectorizers])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weight, bias = _learn(matrix, targets[rows], problem)
        return cls(vectorizers, weight, bias)

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Logits (n, labels), or numbers (n, 1)."""
        found = [np.empty((0, len(self.bias)), dtype=np.float32)]
        for start in range(0, len(inputs), CHUNK):
            texts = [_text(row) for row in inputs[start : start + CHUNK]]
            matrix = _stack([vectorizer.transform(texts) for vectorizer in self.vectorizers])
            found.append(np.asarray(matrix @ self.weight.T, dtype=np.float32) + self.bias)
            if advance:
                advance(len(texts))
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """``tfidf.json`` with the vocabularies and ``model.safetensors`` with the numbers."""
        from safetensors.numpy import save_file

        words = [sorted(v.vocabulary_, key=v.vocabulary_.__getitem__) for v in self.vectorizers]
        (folder / "tfidf.json").write_text(json.dumps({"vocabularies": words}, ensure_ascii=False), encoding="utf-8")
        tensors = {f"idf.{i}": np.asarray(v.idf_, dtype=np.float32) for i, v in enumerate(self.vectorizers)}
        save_file({**tensors, "weight": self.weight, "bias": self.bias}, folder / "model.safetensors")

    @classmethod
    def load(cls, folder: Path, problem: Problem) -> LinearText:
        """Read back what :meth:`save` wrote."""
        from safetensors.numpy import load_file

        words = json.loads((folder / "tfidf.json").read_text(encoding="utf-8"))["vocabularies"]
        tensors = load_file(folder / "model.safetensors")
        vectorizers = _vectorizers(1)
        for position, vectorizer in enumerate(vectorizers):
            vectorizer.vocabulary = {word: index for index, word in enumerate(words[position])}
            vectorizer._validate_vocabulary()
            vectorizer.idf_ = tensors[f"idf.{position}"]
        return cls(vectorizers, tensors["weight"], tensors["bias"])


def _stack(matrices: list[Any]) -> Any:
    from scipy.sparse import hstack

    return hstack(matrices, format="csr", dtype=np.float32)


def _learn(matrix: Any, targets: Array, problem: Problem) -> tuple[Array, Array]:
    n_labels = max(1, len(problem.labels))
    weight, bias = np.zeros((n_labels, matrix.shape[1])), np.full(n_labels, -10.0)
    if problem.kind == "regression":
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=1.0, solver="lsqr").fit(matrix, targets)
        weight[0], bias[0] = model.coef_, model.intercept_
    elif problem.kind == "multilabel":
        for label in range(n_labels):
            if 0 < targets[:, label].sum() < len(targets):
                model = _logistic(matrix.nnz, 2).fit(matrix, targets[:, label])
                weight[label], bias[label] = model.coef_[0], model.intercept_[0]
    else:
        model = _logistic(matrix.nnz, len(np.unique(targets))).fit(matrix, targets)
        coef, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:
            coef, intercept = np.vstack([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
        weight[model.classes_], bias[model.classes_] = coef, intercept
    return weight, bias


def _logistic(n_numbers: int, n_classes: int) -> Any:
    """As many iterations as its work allows: enough to converge for all but huge problems with many classes."""
    from sklearn.linear_model import LogisticRegression

    iterations = int(np.clip(MOST_WORK / max(1, n_numbers * n_classes), 10, 100))
    return LogisticRegression(C=STRENGTH, max_iter=iterations, tol=1e-4)
