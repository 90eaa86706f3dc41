"""Personal data out of what is sent, and back into what comes: one placeholder for one value within a request."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from honed.checks.personal_data import personal_parts

WORDS = {
    "e-mail addresses": "EMAIL", "bank accounts (IBAN)": "IBAN", "payment cards": "CARD", "phone numbers": "PHONE",
    "addresses of hosts": "HOST", "passwords and keys": "SECRET",
}  # fmt: skip
"""What placeholders are called, by what the finder of personal data calls it."""
_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z0-9_]*_\d+\]")
SHORTEST = 2
"""Letters from which a value of a column is looked for in other texts too."""


class Masker:
    """The placeholders of one request."""

    def __init__(self) -> None:
        self._by_value: dict[str, str] = {}
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    @property
    def kinds(self) -> dict[str, int]:
        """How many different values of each kind were masked."""
        return dict(self._counts)

    def avoid(self, text: str) -> None:
        """Never use a placeholder that a text holds already."""
        self._taken.update(_PLACEHOLDER.findall(text))

    def know(self, value: str, kind: str) -> None:
        """A whole value, such as one of a column of names, is to be masked wherever it stands."""
        if value.strip():
            self._placeholder(value.strip(), re.sub(r"\W+", "_", kind).strip("_").upper() or "VALUE")

    def mask(self, text: str) -> str:
        """The text with a placeholder for everything that is personal."""
        for value in sorted((one for one in self._by_value if len(one) >= SHORTEST), key=len, reverse=True):
            if value in text:
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", lambda _, v=value: self._by_value[v], text)  # type: ignore[misc]
        parts = personal_parts(text)
        for start, end, kind in reversed(parts):
            self._placeholder(text[start:end], WORDS.get(kind, "VALUE"))
        for start, end, _ in reversed(parts):
            text = text[:start] + self._by_value[text[start:end]] + text[end:]
        return text

    def restore(self, text: str, *, within_json: bool = False) -> str:
        """The text with the values in place of their placeholders; ``within_json`` writes them as JSON texts hold them."""
        back = {placeholder: value for value, placeholder in self._by_value.items()}

        def one(match: re.Match[str]) -> str:
            value = back.get(match.group(0), match.group(0))
            return json.dumps(value, ensure_ascii=False)[1:-1] if within_json else value

        return _PLACEHOLDER.sub(one, text)

    def _placeholder(self, value: str, word: str) -> None:
        if value in self._by_value:
            return
        number = self._counts[word] = self._counts[word] + 1
        while f"[{word}_{number}]" in self._taken:
            number += 1
        self._by_value[value] = f"[{word}_{number}]"
        self._taken.add(f"[{word}_{number}]")


def walked(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed; names of fields stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: walked(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [walked(part, change) for part in value]
    return value
