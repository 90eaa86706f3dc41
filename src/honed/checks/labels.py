"""The labels themselves: how many of each there are, and which look wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from honed.checks.duplicates import joined_texts
from honed.checks.personal_data import mask_personal
from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.wording import counted

Array = np.ndarray[Any, np.dtype[Any]]
FEW, RARE, UNBALANCED = 100, 8, 0.7
MOST_ROWS, MOST_CELLS, FOLDS = 10_000, 400_000, 4
SURE, TRUSTED, TOO_HARD = 0.3, 0.9, 0.7
"""Another label must be likelier by 0.3 where counting words tells 90 of 100 labels, by more where it tells fewer (a
wrong guess of a weak judge proves nothing), and below 70 of 100 nothing is said."""


def check_balance(targets: Array, labels: tuple[str, ...], target: str) -> list[Finding]:
    """D140 imbalance, D141 rare labels, D142 few rows in all; nothing of rows of objects."""
    findings: list[Finding] = []
    if targets.dtype.kind == "O":
        return findings
    n = len(targets) if targets.dtype.kind == "f" or targets.ndim == 2 else int((targets >= 0).sum())
    if n < FEW:
        message = f"{n} labelled rows are few. Expect a first look, not a product."
        findings.append(
            Finding("D142", "issue", message, f"Label at least {FEW} rows, or 50 for each label.", (target,))
        )
    if targets.dtype.kind == "f" or not labels:
        return findings
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets[targets >= 0], minlength=len(labels))
    share = counts.max() / max(1, n)
    if targets.ndim == 1 and share > UNBALANCED:
        most = labels[int(counts.argmax())]
        message = f'{100 * share:.0f} of 100 rows are "{most}". Always saying so would look {100 * share:.0f} % right.'
        findings.append(
            Finding(
                "D140", "tip", message, "Honed judges by macro F1 here, which counts every label the same.", (target,)
            )
        )
    rare = [labels[i] for i in np.flatnonzero(counts < RARE)]
    if rare:
        names = ", ".join(f'"{name}"' for name in rare[:5]) + (", ..." if len(rare) > 5 else "")
        message = f"{counted(len(rare), 'label')} with fewer than {RARE} rows: {names}."
        findings.append(
            Finding(
                "D141",
                "issue",
                message,
                "Add examples, or join them with another label.",
                (target,),
                details={"labels": rare},
            )
        )
    return findings or [Finding("D140", "passed", "Every label has enough rows and none drowns the others.")]


def check_alike(labels: tuple[str, ...], target: str) -> list[Finding]:
    """D143: labels that differ in case, blanks or punctuation alone."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(re.sub(r"[\W_]+", "", label.lower()) or label, []).append(label)
    torn = [names for names in alike.values() if len(names) > 1]
    if not torn:
        return []
    shown = "; ".join(" and ".join(f'"{name}"' for name in names[:3]) for names in torn[:5])
    message = f"Labels that differ in case, blanks or punctuation alone: {shown}. They are probably the same."
    flat = [name for names in torn for name in names]
    return [Finding("D143", "issue", message, "Write them alike.", (target,), details={"labels": flat})]


def check_label_errors(
    table: Table, roles: Roles, targets: Array, labels: tuple[str, ...], seed: int = 0
) -> list[Finding]:
    """D150: rows whose label looks wrong, by confident learning (Northcutt et al., 2021) on out-of-fold predictions."""
    if targets.ndim != 1 or targets.dtype.kind != "i":
        return []
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(
        (targets >= 0) & (np.bincount(targets[targets >= 0], minlength=len(labels))[targets] >= FOLDS)
    )
    if len(rows) < 50 or len(np.unique(targets[rows])) < 2:
        return [Finding("D150", "not applicable", "Too few rows to tell wrong labels from hard texts.")]
    most = min(MOST_ROWS, max(2000, MOST_CELLS // max(1, len(labels))))
    looked = np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
    texts = joined_texts(table, roles.text).take(pa.array(looked)).to_pylist()
    probabilities = _by_words([text or "" for text in texts], targets[looked], seed)

    def shown(position: int) -> str:
        return f'"{mask_personal(texts[position] or "")[:70]}"'

    judge = Judge("Counting words", "texts")
    return [judged_labels(probabilities, targets[looked], labels, judge, looked, shown, roles.target or "")]


@dataclass(frozen=True)
class Judge:
    """What judged the labels, and what the things are called that may be hard to judge."""

    name: str
    many: str


def judged_labels(
    probabilities: Array, targets: Array, labels: tuple[str, ...], judge: Judge, rows: Array,
    shown: Callable[[int], str], target: str,
) -> Finding:  # fmt: skip
    """D150 from out-of-fold probabilities (n, labels): which labels look wrong, or why that cannot be said.

    Parameters
    ----------
    targets : int array (n,)
        The labels as they are given.
    rows : int array (n,)
        Which row of the data each belongs to, from 0.
    shown : callable (position)
        One of them for the eye.
    """
    told = float((probabilities.argmax(axis=1) == targets).mean())
    usual = float(np.bincount(targets).max() / len(targets))
    if told < TOO_HARD or told < usual + 0.02:
        message = f"{judge.name} tells only {100 * told:.0f} of 100 labels here, too few to judge the others by."
        return Finding("D150", "not applicable", message)
    sure = float(np.clip(SURE + 3 * (TRUSTED - told), SURE, 1.0))
    suspects, suggested = wrong_labels(probabilities, targets, sure)
    if not len(suspects):
        return Finding("D150", "passed", f"No label looks wrong among {len(targets):,}.")
    share = len(suspects) / len(targets)
    doubt = "" if told >= TRUSTED else f", or their {judge.many} are hard"
    looks = "looks" if len(suspects) == 1 else "look"
    message = f"{len(suspects):,} of {len(targets):,} labels {looks} wrong ({100 * share:.1f} %){doubt}."
    examples = tuple(
        f'{shown(int(one))} is "{labels[targets[one]]}", looks like "{labels[wanted]}"'
        for one, wanted in zip(suspects[:5], suggested[:5], strict=True)
    )
    numbers = tuple(dict.fromkeys((rows[suspects] + 1).tolist()))
    remedy = "Look at these rows first: correcting labels is the cheapest way to a better model."
    return Finding(
        "D150", "tip" if doubt else "issue", message, remedy, (target,), numbers[:20], len(numbers), examples,
        {"share": share},
    )  # fmt: skip


def wrong_labels(probabilities: Array, targets: Array, sure: float) -> tuple[Array, Array]:
    """Positions of suspicious labels, the surest first, and the labels they should probably have.

    ``probabilities`` (n, labels) come from models that have not seen the row; another label must be likelier by ``sure``.
    """
    given = probabilities[np.arange(len(targets)), targets]
    usual = np.array(
        [given[targets == label].mean() if (targets == label).any() else 1.0 for label in range(probabilities.shape[1])]
    )
    possible = np.where(probabilities >= usual, probabilities, 0.0)
    other = possible.argmax(axis=1)
    margin = possible[np.arange(len(targets)), other] - given
    suspect = (other != targets) & (margin > sure)
    order = np.flatnonzero(suspect)[np.argsort(-margin[suspect], kind="stable")]
    return order, other[order]


def out_of_fold(features: Any, targets: Array, n_labels: int, make: Callable[[], Any], seed: int) -> Array:
    """Probabilities (n, n_labels) of each row by a classifier of scikit-learn that ``make`` gives and that has not seen it."""
    from sklearn.model_selection import StratifiedKFold

    found = np.zeros((len(targets), n_labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for train, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, targets):
            model = make().fit(features[train], targets[train])
            found[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
    return found


def _by_words(texts: list[str], targets: Array, seed: int) -> Array:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, min_df=2, max_features=30_000, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"
    )
    n_labels = int(targets.max()) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            matrix: Any = vectorizer.fit_transform(texts)
        except ValueError:
            return np.full((len(texts), n_labels), 1.0 / n_labels)
    return out_of_fold(matrix, targets, n_labels, lambda: LogisticRegression(C=10.0, max_iter=100, tol=1e-3), seed)
