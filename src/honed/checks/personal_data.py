"""Personal data and secrets in texts, and columns whose names smell of them. Conservative: numbers are checked by
their checksums where they have one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from honed.data.table import Table
from honed.finding import Finding
from honed.wording import counted, listed


def _luhn(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    plain = re.sub(r"\s", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _phone(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return 9 <= len(digits) <= 15 and len(set(digits)) > 2


def _address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _always(text: str) -> bool:
    return True


@dataclass(frozen=True)
class _Kind:
    """One kind of personal data: words for it, a coarse pattern for RE2, a checked pattern, and a check."""

    name: str
    coarse: str
    exact: re.Pattern[str]
    check: Callable[[str], bool] = _always


KINDS = (
    _Kind("e-mail addresses", r"@\w", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")),
    _Kind(
        "bank accounts (IBAN)",
        r"[A-Za-z]{2}\d{2}",
        re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?\b"),
        _iban,
    ),
    _Kind("payment cards", r"\d(?:[ -]?\d){12}", re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])"), _luhn),
    _Kind(
        "phone numbers",
        r"\d[\d /().-]{6,}\d",
        re.compile(r"(?<![\w.])(?<!\d )(?:\+\d{1,3}[ .\-/]?|00\d{1,3}[ .\-/]?|\(?0)\(?\d{1,5}\)?(?:[ .\-/]?\d{2,5}){2,5}(?![\w.]\d)"),
        _phone,
    ),
    _Kind("addresses of hosts", r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d", re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"), _address),
    _Kind(
        "passwords and keys",
        r"(?i)(passwor[dt]|passwd|api.?key|secret|token|BEGIN|AKIA|ghp_|sk-)",
        re.compile(
            r"(?i)\b(?:password|passwort|passwd|api[ _-]?key|secret|token)\s*(?:is|ist|=|:)\s*[\"']?(?=\S*[\d!$%&#*])\S{6,}"
            r"|AKIA[0-9A-Z]{16}|ghp_\w{30,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
        ),
    ),
)  # fmt: skip
NAMES = re.compile(
    r"(?i)^(first|last|sur|full|given|family)?_?name$|birth|geburt|^dob$|^ssn$|social_?security|passport|e_?mail|phone|mobile|telefon|"
    r"street|strasse|postal|^zip|address|adresse|iban|credit_?card|salary|gehalt|^ip(_|$)|national_?id|tax_?id"
)


@dataclass(frozen=True)
class Found:
    """Rows (positions) with one kind of personal data and a few masked quotations."""

    kind: str
    rows: tuple[int, ...]
    examples: tuple[str, ...]


def find_personal(texts: pa.ChunkedArray) -> list[Found]:
    """Every kind that occurs, with all its rows."""
    found = []
    for kind in KINDS:
        likely = np.flatnonzero(np.asarray(pc.fill_null(pc.match_substring_regex(texts, kind.coarse), False)))
        if not len(likely):
            continue
        values = texts.take(pa.array(likely)).to_pylist()
        hits = [(int(row), match) for row, value in zip(likely, values, strict=True) if (match := _match(kind, value))]
        if hits:
            rows = tuple(row for row, _ in hits)
            found.append(Found(kind.name, rows, tuple(dict.fromkeys(masked(match) for _, match in hits[:50]))))
    return found


def _match(kind: _Kind, text: str) -> str | None:
    return next((m.group(0) for m in kind.exact.finditer(text[:20_000]) if kind.check(m.group(0))), None)


def masked(text: str) -> str:
    """A text of which only the first two letters and the last are shown."""
    kept = 2 if len(text) > 6 else 1
    return text[:kept] + "***" + text[-1:]


def personal_spans(text: str) -> list[tuple[int, int]]:
    """Where in a text something looks like personal data: (first letter, letter after the last)."""
    return [(start, end) for start, end, _ in _places(text)]


def personal_parts(text: str) -> list[tuple[int, int, str]]:
    """The same without overlaps, in order, with the kind: what overlaps is one part, of the kind that is looked for first."""
    found: list[tuple[int, int, str]] = []
    order = {kind.name: place for place, kind in enumerate(KINDS)}
    for start, end, name in sorted(_places(text)):
        if found and start < found[-1][1]:
            first, last, known = found[-1]
            found[-1] = first, max(last, end), min(known, name, key=order.__getitem__)
        else:
            found.append((start, end, name))
    return found


def _places(text: str) -> list[tuple[int, int, str]]:
    return [
        (*match.span(), kind.name)
        for kind in KINDS
        for match in kind.exact.finditer(text)
        if kind.check(match.group(0))
    ]


def is_kind(kind: str, text: str) -> bool:
    """True where a text, as a whole, looks like this kind of personal data."""
    return any(k.exact.fullmatch(text) is not None and k.check(text) for k in KINDS if k.name == kind)


def mask_personal(text: str) -> str:
    """The text with everything that looks like personal data masked."""
    for kind in KINDS:
        text = kind.exact.sub(lambda m, kind=kind: masked(m.group(0)) if kind.check(m.group(0)) else m.group(0), text)  # type: ignore[misc]
    return text


def check_personal(table: Table, columns: tuple[str, ...]) -> list[Finding]:
    """D160: personal data in the texts the model reads. D161: columns named like personal data."""
    findings = []
    for column in columns:
        found = find_personal(table.arrow.column(column).cast(pa.string()))
        if found:
            findings.append(_told(column, found))
    named = tuple(name for name in table.names if NAMES.search(name) and name not in columns)
    if named:
        message = f"{listed(named)}: by {'its name' if len(named) == 1 else 'their names'}, personal data."
        findings.append(Finding("D161", "tip", message, "Leave such columns out of what you hand on.", named))
    if not findings:
        findings.append(
            Finding("D160", "passed", "No e-mail addresses, phone, account or card numbers were found in the texts.")
        )
    return findings


def _told(column: str, found: list[Found]) -> Finding:
    """One finding for a column, with all kinds that occur in it."""
    rows = sorted({row for kind in found for row in kind.rows})
    kinds = ", ".join(f"{kind.kind} ({len(kind.rows):,})" for kind in found)
    message = f'{counted(len(rows), "row")} of "{column}" with personal data: {kinds}.'
    remedy = "Mask them before training if the model does not need them; the law may ask for it."
    shown = tuple(row + 1 for row in rows[:20])
    examples = tuple(kind.examples[0] for kind in found)
    details = {"kinds": {kind.kind: len(kind.rows) for kind in found}}
    return Finding("D160", "issue", message, remedy, (column,), shown, len(rows), examples, details)
