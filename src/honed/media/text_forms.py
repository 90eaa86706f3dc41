"""Parts of texts that are alike in form or share a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from honed.media.medium import Array

FEWEST = 20
"""A word is looked at if twice as many texts have it."""


def by_form(texts: list[str]) -> dict[str, Array]:
    """Short and long texts, those with digits, question marks, capitals, letters beyond ASCII."""
    words = np.array([len(text.split()) for text in texts])
    short, long = np.quantile(words, [0.33, 0.67])
    tests: dict[str, Callable[[str], bool]] = {
        "texts with digits": lambda text: any(c.isdigit() for c in text),
        "texts with a question mark": lambda text: "?" in text,
        "texts all in lower case": lambda text: text == text.lower(),
        "texts with words in capitals": lambda text: any(len(w) > 2 and w.isupper() for w in text.split()),
        "texts with letters beyond ASCII": lambda text: not text.isascii(),
    }
    found = {name: np.array([test(text) for text in texts]) for name, test in tests.items()}
    found[f"short texts (up to {short:.0f} words)"] = words <= short
    found[f"long texts (over {long:.0f} words)"] = words > long
    return found


def by_word(texts: list[str]) -> dict[str, Array]:
    """Texts with each of the most frequent words."""
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        counter = CountVectorizer(binary=True, max_features=30, min_df=2 * FEWEST, stop_words="english")
        matrix: Any = counter.fit_transform(texts)
    except ValueError:
        return {}
    dense = matrix.toarray().astype(bool)
    return {f'texts with the word "{word}"': dense[:, i] for i, word in enumerate(counter.get_feature_names_out())}
