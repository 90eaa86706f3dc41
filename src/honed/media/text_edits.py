"""Edits of a text that should not change its meaning: what a model does after them tells how robust it is."""

from __future__ import annotations

import re

import numpy as np

from honed.media.medium import Edit

_NEIGHBOURS = {
    letter: row[max(0, i - 1) : i] + row[i + 1 : i + 2]
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for i, letter in enumerate(row)
}
_CONTRACTIONS = {
    "do not": "don't", "does not": "doesn't", "did not": "didn't", "is not": "isn't", "are not": "aren't",
    "can not": "can't", "cannot": "can't", "will not": "won't", "i am": "I'm", "i have": "I've", "it is": "it's",
    "what is": "what's", "that is": "that's", "would not": "wouldn't", "could not": "couldn't", "was not": "wasn't",
}  # fmt: skip
_SYNONYMS = {
    "help": "assist", "broken": "faulty", "fix": "repair", "big": "large", "begin": "start", "need": "require",
    "get": "obtain", "show": "display", "quick": "fast", "error": "problem", "problem": "issue", "buy": "purchase",
    "wrong": "incorrect", "ask": "enquire", "tell": "inform", "good": "fine", "bad": "poor", "use": "employ",
    "however": "but", "maybe": "perhaps", "movie": "film", "film": "movie", "funny": "amusing", "boring": "dull",
}  # fmt: skip
_OPENINGS = ("Hello, ", "Hi there, ", "Good morning. ", "Quick question: ", "Dear team, ")
_CLOSINGS = (" Thanks!", " Please advise.", " Thank you in advance.", " Best regards")


def typos(text: str, rng: np.random.Generator) -> str:
    """One letter in 25 swapped with the next, doubled, dropped or replaced by its neighbour on the keyboard."""
    letters = list(text)
    for position in np.flatnonzero(rng.random(len(letters)) < 0.04):
        letter = letters[position].lower()
        if not letter.isalpha():
            continue
        kind = rng.integers(4)
        if kind == 0 and position + 1 < len(letters):
            letters[position], letters[position + 1] = letters[position + 1], letters[position]
        elif kind == 1:
            letters[position] = letters[position] * 2
        elif kind == 2:
            letters[position] = ""
        elif _NEIGHBOURS.get(letter):
            letters[position] = str(rng.choice(list(_NEIGHBOURS[letter])))
    return "".join(letters)


def _first_half(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(words[: max(1, (len(words) + 1) // 2)])


def _no_punctuation(text: str, rng: np.random.Generator) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", text)).strip() or text


def _reworded(text: str, rng: np.random.Generator) -> str:
    """Contractions, near synonyms, and a greeting or a thanks: the same message from another person."""
    for words, short in _CONTRACTIONS.items():
        text = re.sub(rf"\b{words}\b", short, text, flags=re.I)
    text = re.sub(r"\b\w+\b", lambda found: _SYNONYMS.get(found.group(0).lower(), found.group(0)), text)
    return str(rng.choice(_OPENINGS)) + text + str(rng.choice(_CLOSINGS)) if rng.random() < 0.7 else text


EDITS = (
    Edit("typos", "typing mistakes", typos),
    Edit("upper_case", "ALL CAPITALS", lambda text, rng: text.upper()),
    Edit("lower_case", "all lower case", lambda text, rng: text.lower()),
    Edit("punctuation", "no punctuation", _no_punctuation),
    Edit("truncation", "cut off after the first half", _first_half),
    Edit("rewording", "reworded, with greetings and thanks", _reworded),
)
