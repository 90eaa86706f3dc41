"""Random texts of the same form as a secret: as many letters and digits in the same places, drawn by lot."""

from __future__ import annotations

import random
import re

from honed.checks.personal_data import is_kind

TRIES = 1000
_NAMES = (
    "ann bob eva ian joe kim lea max tom zoe adam anna carl dora emil gina hugo ines jack kate lisa marc nina omar paul rosa sara "
    "theo vera alice brian clara david elena felix grace helen james karin lucas maria peter robin simon tanja andrea bianca daniel "
    "fatima george hannah jasper martin monika oliver sophie thomas walter bernard camille charles dorothy michael natalie patrick "
    "rebecca stephen valerie benjamin caroline fernando jonathan margaret nicholas victoria baker brown chen cohen costa diaz fischer "
    "garcia gruber hansen hughes ivanov jones khan kowalski larsen lee lopez mason meyer moreau mueller nguyen novak okafor olsen "
    "patel petrov ricci rossi santos sato schmidt schneider silva singh smith tanaka taylor turner wagner walker weber wilson wong "
    "yilmaz zimmermann "
)
NAMES = tuple(_NAMES.split())
"""Common names, for e-mail addresses: letters by lot are none that anybody has, and no model would take them for some."""
_HEAD = re.compile(
    r"(?i)^(?:password|passwort|passwd|api[ _-]?key|secret|token)\s*(?:is|ist|=|:)\s*[\"']?|^(?:AKIA|ghp_)|^[A-Z]{2}(?=\d{2})"
)


def redrawn(kind: str, text: str, rng: random.Random) -> str:
    """Another text of the kind and form: names for the names of an address, and digits and letters by lot; checksums hold."""
    found = text
    for _ in range(TRIES):
        found = _address(text, rng) if "@" in text else _letters(text, rng)
        if is_kind(kind, found):
            return found
    return found


def _letters(text: str, rng: random.Random) -> str:
    head = _HEAD.match(text)
    kept = head.end() if head else 0
    return text[:kept] + "".join(_other(letter, rng) for letter in text[kept:])


def _other(letter: str, rng: random.Random) -> str:
    if letter.isdigit():
        return str(rng.randrange(10))
    if letter.isascii() and letter.isalpha():
        drawn = rng.choice("abcdefghijklmnopqrstuvwxyz")
        return drawn.upper() if letter.isupper() else drawn
    return letter


def _address(text: str, rng: random.Random) -> str:
    """Words of the part before the at sign become names about as long; the domain stays."""
    own, _, domain = text.partition("@")
    return re.sub(r"[A-Za-z]{2,}|\d+", lambda match: _name(match[0], rng), own) + "@" + domain


def _name(word: str, rng: random.Random) -> str:
    if word.isdigit():
        return "".join(str(rng.randrange(10)) for _ in word)
    near = [name for name in NAMES if abs(len(name) - len(word)) <= 1] or [name for name in NAMES if len(name) >= 7]
    drawn = rng.choice(near)
    return drawn.capitalize() if word[0].isupper() else drawn
