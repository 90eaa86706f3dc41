"""Which column plays which part: chosen from names and values, each with a sentence of reason; flags override."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from honed.data.chats import CHOSEN, OTHER
from honed.data.picture_paths import hold_pictures, there
from honed.data.table import Roles, Table
from honed.errors import DataError

SAMPLE, MOSTLY_DIFFERENT = 5000, 0.7
TARGET_NAMES = (
    "label", "labels", "target", "category", "categories", "class", "intent", "team", "queue", "department", "topic",
    "sentiment", "y", "score", "rating", "gold", "truth", "outcome", "tag", "tags", "assigned_group", "priority",
    "kategorie", "klasse", "abteilung", "catégorie", "categoria", "etiqueta", "label_gold",
)  # fmt: skip
WRITTEN_NAMES = (
    "completion", "response", "reply", "answer", "output", "summary", "assistant", "generated", "translation", "antwort",
    "réponse", "respuesta", "risposta",
)  # fmt: skip
"""Names of columns of texts that are to be written, where another column says what is asked."""
GROUP_NAMES = (
    "gender", "sex", "race", "ethnicity", "religion", "nationality", "age_group", "agegroup", "language", "lang", "region",
    "country", "geschlecht", "sprache", "land", "sexe", "langue", "pays", "disability", "marital_status", "maritalstatus",
)  # fmt: skip
ENTITY_NAMES = (
    "customer",
    "user",
    "client",
    "device",
    "account",
    "kunde",
    "patient",
    "author",
    "sender",
    "requester",
    "employee",
)
TIME_NAMES = ("time", "date", "created", "timestamp", "datum", "opened", "reported", "when")


@dataclass(frozen=True)
class _Look:
    """What a column looks like, from a sample of its values."""

    name: str
    n: int
    present: int
    distinct: int
    words: float
    numeric: bool
    listed: bool
    dates: bool
    letters: bool
    pictures: bool = False

    @property
    def texty(self) -> bool:
        running = not self.numeric and not self.dates and self.letters and self.words >= 3
        return running and self.distinct > max(2, self.present * 0.3)

    @property
    def few(self) -> bool:
        return 2 <= self.distinct <= max(2, min(1000, self.present // 4))

    @property
    def unique(self) -> bool:
        return self.present > 8 and self.distinct == self.present


def infer_roles(
    table: Table,
    *,
    target: str | None = None,
    text: Sequence[str] | None = None,
    time: str | None = None,
    group: Sequence[str] | None = None,
    entity: str | None = None,
) -> Roles:
    """Roles of all columns; what is named here is taken as it is.

    Raises
    ------
    DataError [D020, D022]
        A named column does not exist.
    """
    fixed = {"target": [target], "text": text, "time": [time], "group": group, "entity": [entity]}
    named = {role: [name for name in names or [] if name] for role, names in fixed.items()}
    for role, names in named.items():
        for name in names:
            _exists(table, name, role)
    looks = {name: _look(table, name) for name in table.names}
    apart = _apart(table)
    free = [name for name in table.names if name not in apart and not any(name in names for names in named.values())]
    reasons = {name: f"you named it as {role}" for role, names in named.items() for name in names}
    objects = next((name for name in apart if holds_objects(table, name)), None)
    found_target, candidates = (target or objects, ()) if target or objects else _target(looks, free, reasons)
    free = [name for name in free if name != found_target]
    seen = None if named["text"] else _first(free, lambda name: looks[name].pictures, {}, "")
    image = seen if seen and (there(table.arrow.column(seen)) or not any(looks[name].texty for name in free)) else None
    reasons.update({image: "it holds pictures"} if image else {})
    free = [name for name in free if name != image]
    found_text = list(named["text"])
    if image is None and not found_text:
        found_text = _texts(looks, [name for name in free if name not in candidates], reasons)
    free = [name for name in free if name not in found_text]
    found_time = time or _first(free, lambda name: _is_time(looks[name]), reasons, "its values are dates")
    free = [name for name in free if name != found_time]
    key = _first(free, lambda name: _is_key(looks[name]), reasons, "every value occurs once, so it is a key")
    free = [name for name in free if name != key]
    groups = list(named["group"]) or [name for name in free if _is_group(looks[name])]
    reasons.update(
        {
            name: "its groups will be compared in the evaluation; it is no input"
            for name in groups
            if name not in named["group"]
        }
    )
    free = [name for name in free if name not in groups]
    found_entity = entity or _first(
        free,
        lambda name: _is_entity(looks[name]),
        reasons,
        "it says whom a row belongs to; such rows stay on one side of a split",
    )
    ignored = tuple(name for name in free if name != found_entity)
    reasons.update({name: _why_ignored(looks[name]) for name in ignored})
    reasons.update(apart)
    ignored += tuple(name for name in apart if name != found_target)
    yours = tuple(role for role, names in named.items() if names)
    reasons.update(dict.fromkeys(candidates, "it may be what is to be predicted; name it with --target"))
    return Roles(
        tuple(found_text),
        found_target,
        found_time,
        tuple(groups),
        found_entity,
        key,
        ignored,
        reasons,
        yours,
        candidates,
        image,
    )


def _apart(table: Table) -> dict[str, str]:
    """Columns that play no part whatever they look like, each with the reason."""
    found = {
        name: "it says which rows are for training and which for the test" for name in table.names if name == "part"
    }
    found = found if table.reading.get("parts") == "given" else {}
    if {CHOSEN, OTHER} <= set(table.names):
        found[OTHER] = "it holds the texts that were preferred less than those chosen"
    told = "it holds the boxes and outlines of objects, which are to be found"
    return {**found, **{name: told for name in table.names if holds_objects(table, name)}}


def holds_objects(table: Table, name: str) -> bool:
    """True for a column that lists the objects of pictures."""
    kind = table.arrow.schema.field(name).type
    return pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)


def answer_kind(table: Table, roles: Roles) -> str:
    """What is to be answered: "class", "text", "boxes", or "masks" where most of the objects have outlines."""
    if roles.target not in table.names:
        return "class"
    if not holds_objects(table, str(roles.target)):
        return "text" if _is_written(table, str(roles.target), roles) else "class"
    kind = table.arrow.schema.field(roles.target).type.value_type
    cells = [
        value
        for value in table.take(range(0, table.n_rows, max(1, table.n_rows // 200))).column(str(roles.target))
        if value
    ]
    items = [item for value in cells for item in value]
    drawn = sum(bool(item.get("polygons") or item.get("rle")) for item in items) if kind.num_fields else 0
    return "masks" if items and drawn > len(items) / 2 else "boxes"


def _is_written(table: Table, name: str, roles: Roles) -> bool:
    """True for running text beside text, nearly every row another; or where the name says so."""
    look = _look(table, name)
    if name == CHOSEN and OTHER in table.names and roles.text:
        return True
    if not roles.text or not look.texty:
        return False
    return _words(name) in WRITTEN_NAMES or look.distinct >= MOSTLY_DIFFERENT * look.present


def _exists(table: Table, name: str, role: str) -> None:
    if name in table.names:
        return
    close = difflib.get_close_matches(name, table.names, n=1)
    hint = f'Did you mean "{close[0]}"?' if close else f"Columns: {', '.join(table.names[:12])}."
    raise DataError("D020" if role == "target" else "D022", f'There is no column "{name}" in {table.source}.', hint)


def _look(table: Table, name: str) -> _Look:
    column = table.arrow.column(name)
    sample = column.slice(0, SAMPLE)
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    there = [value for value in sample.to_pylist() if value is not None and str(value).strip()]
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    words = sum(len(str(value).split()) for value in there) / max(1, len(there))
    distinct = len({str(value) for value in there})
    if distinct == len(there) and not listed and table.n_rows > SAMPLE:
        distinct = round(
            pc.count_distinct(column.drop_null()).as_py() / max(1, len(column) - column.null_count) * len(there)
        )
    dates = pa.types.is_temporal(kind) or (
        not numeric and bool(there) and _dates([str(value) for value in there[:200]])
    )
    lettered = sum(any(map(str.isalpha, str(value))) for value in there[:1000])
    letters, pictures = 2 * lettered > len(there[:1000]), hold_pictures(there)
    return _Look(name, len(sample), len(there), distinct, words, numeric, listed, dates, letters, pictures)


_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}(:\d{2})?.*)?$")


def _dates(values: list[str]) -> bool:
    return sum(bool(_DATE.match(value.strip())) for value in values) >= 0.9 * len(values)


def _words(name: str) -> str:
    return re.sub(r"[^\w]+", "_", name.strip().lower())


def _target(looks: dict[str, _Look], free: list[str], reasons: dict[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """By name first; else the one column that has few distinct values, or numbers beside texts. Where several could be
    it, none is taken and all are named."""
    if CHOSEN in looks and OTHER in looks and CHOSEN in free:
        reasons[CHOSEN] = "its texts were preferred to others"
        return CHOSEN, ()
    by_name = [name for name in free if _words(name) in TARGET_NAMES and looks[name].distinct >= 1]
    if by_name:
        best = min(by_name, key=lambda name: TARGET_NAMES.index(_words(name)))
        reasons[best] = "its name says that it is what is to be predicted"
        return best, ()
    written = [name for name in free if _words(name) in WRITTEN_NAMES and looks[name].texty]
    if written and any(looks[name].texty for name in free if name != written[0]):
        reasons[written[0]] = "its name says that it is the text to be written"
        return written[0], ()
    shaped = [
        name
        for name in free
        if _target_shape(looks[name]) and _words(name) not in GROUP_NAMES and not _is_time(looks[name])
    ]
    if len(shaped) == 1:
        reasons[shaped[0]] = (
            f"it has {looks[shaped[0]].distinct:,} distinct values, the only column that looks like a target"
        )
        return shaped[0], ()
    return None, tuple(shaped)


def _target_shape(look: _Look) -> bool:
    return look.listed or (look.few and not look.texty) or (look.numeric and not look.unique and look.distinct >= 2)


def _texts(looks: dict[str, _Look], free: list[str], reasons: dict[str, str]) -> list[str]:
    """The columns of running text, at most two, the longest first in meaning but in the order of the table."""
    found = sorted((name for name in free if looks[name].texty), key=lambda name: -looks[name].words)[:2]
    if not found:
        wordy = [
            name
            for name in free
            if not looks[name].numeric and not looks[name].dates and looks[name].letters and looks[name].distinct > 2
        ]
        found = sorted(wordy, key=lambda name: -(looks[name].words * looks[name].distinct))[:1]
    for name in found:
        reasons[name] = f"it holds text, about {looks[name].words:.0f} words a row"
    return [name for name in looks if name in found]


def _is_time(look: _Look) -> bool:
    named = any(part in _words(look.name) for part in TIME_NAMES)
    return look.dates and (named or look.distinct > 2)


def _is_key(look: _Look) -> bool:
    return look.unique and look.words < 2 and not look.dates


def _is_group(look: _Look) -> bool:
    return _words(look.name) in GROUP_NAMES and 2 <= look.distinct <= 50


def _is_entity(look: _Look) -> bool:
    named = any(part in _words(look.name) for part in ENTITY_NAMES)
    return named and not look.texty and look.present // 50 < look.distinct < look.present * 0.95 and look.distinct > 20


def _first(names: list[str], test: Any, reasons: dict[str, str], why: str) -> str | None:
    found = next((name for name in names if test(name)), None)
    if found:
        reasons[found] = why
    return found


def _why_ignored(look: _Look) -> str:
    if look.present == 0:
        return "it is empty"
    if look.distinct == 1:
        return "it has the same value in every row"
    return "numbers are not read as text" if look.numeric else f"it has {look.distinct:,} short values, no running text"
