"""What readers of picture sets notice, gathered while they read: nothing is left out or changed without a finding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from honed.finding import Finding, Level

_NUMBER = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


@dataclass(frozen=True)
class Saying:
    """How one kind of thing noticed is told. ``text`` holds "{n}" and words as "[one|many]"."""

    code: str
    level: Level
    text: str
    remedy: str


SAYINGS: dict[str, Saying] = {
    "unreadable": Saying(
        "D065", "issue", "{n} [picture|pictures] cannot be read and [was|were] left out.", "Replace or remove them."
    ),
    "absent": Saying(
        "D066", "issue", "{n} [picture is|pictures are] annotated but not there; the annotations were left out.",
        "Add the pictures, or remove the annotations.",
    ),
    "no objects": Saying(
        "D067", "tip", "{n} [picture has|pictures have] no objects and [is|are] kept as examples of nothing to find.",
        "Check that nothing is to be found in them: forgotten annotations teach a model to overlook objects.",
    ),
    "no labels file": Saying(
        "D067", "tip", "{n} [picture has|pictures have] no file of annotations and [is|are] kept as examples of nothing to find.",
        "Check that nothing is to be found in them: forgotten annotations teach a model to overlook objects.",
    ),
    "emptied": Saying(
        "D067", "issue", "{n} [picture|pictures] lost all annotations and [is|are] kept as examples of nothing to find.",
        "Correct their annotations: as they are, they teach a model to overlook objects.",
    ),
    "clipped": Saying(
        "D068", "issue", "{n} [box reaches|boxes reach] outside the picture and [was|were] cut at its edge.",
        "Look at some: boxes for another size of the picture would be cut, too.",
    ),
    "rounded": Saying(
        "D068", "tip", "{n} [box reaches|boxes reach] up to two pixels outside the picture and [was|were] cut at its edge.",
        "Nothing needs to be done: programs round like this.",
    ),
    "degenerate": Saying(
        "D069", "issue", "{n} [box has|boxes have] no area inside the picture (half a pixel at least) and [was|were] left out.",
        "Draw them again, or remove them.",
    ),
    "bad outline": Saying(
        "D069", "issue", "{n} [outline is|outlines are] no polygon or mask of the picture; the [box was|boxes were] kept without.",
        "Draw them again.",
    ),
    "repeated": Saying(
        "D070", "tip", "{n} [annotation repeats|annotations repeat] another of the same picture, label and box; each was kept once.",
        "Nothing needs to be done; remove them at the source if they come from there.",
    ),
    "unknown class": Saying(
        "D071", "issue", "{n} [object has a class|objects have classes] without a place in the list of classes and [was|were] left out.",
        "Correct the numbers of the classes, or complete the list of names.",
    ),
    "unnamed class": Saying(
        "D072", "issue", "{n} [class has|classes have] a number but no name; the number stands for the name.",
        "Give the names, so that people can read the answers.",
    ),
    "unused class": Saying(
        "D072", "tip", "{n} [class|classes] of the list [has|have] no object, so [it|they] cannot be learnt.",
        "Add examples, or take them off the list.",
    ),
    "name twice": Saying(
        "D072", "issue", "{n} [name stands|names stand] for several classes of the list; they are taken for one.",
        "Give each class a name of its own.",
    ),
    "class in one part": Saying(
        "D072", "issue", "{n} [class occurs|classes occur] in the validation or test pictures but not in the training pictures.",
        "Add training pictures, or correct the name.",
    ),
    "counted from one": Saying(
        "D073", "blocker", "The classes seem to be numbered from 1, but the list of {n} [name|names] starts at 0: all would be off by one.",
        "Subtract 1 from each number, or put a name for number 0 first.",
    ),
    "corners": Saying(
        "D073", "blocker", "The boxes of {n} [object|objects] seem to be two corners (x1, y1, x2, y2), not x, y, width and height.",
        "Write x, y, width, height, as COCO does.",
    ),
    "pixels": Saying(
        "D073", "blocker", "{n} [line gives|lines give] numbers far above 1 where shares of the picture's width and height are due.",
        "Divide x by the width and y by the height of the picture.",
    ),
    "pixels from one": Saying(
        "D073", "tip", "No box starts at 0, so pixels were taken to be counted from 1, as in Pascal VOC ({n} [box|boxes]).",
        "Nothing needs to be done: at worst the boxes are one pixel too large.",
    ),
    "size": Saying(
        "D074", "issue", "{n} [picture is|pictures are] not of the size that the annotations state.",
        "Look at some: if pictures were made smaller after they were annotated, the boxes lie wrongly.",
    ),
    "unreadable line": Saying(
        "D075", "issue", "{n} [annotation|annotations] cannot be understood and [was|were] left out.",
        "Correct or remove them.",
    ),
    "more numbers": Saying(
        "D075", "tip", "{n} [line has|lines have] numbers behind the box (key points, a confidence); they were not read.",
        "Nothing needs to be done, if boxes are what is to be learnt.",
    ),
    "unmentioned": Saying(
        "D076", "tip", "{n} [picture lies|pictures lie] there but [is|are] not mentioned in the annotations; [it was|they were] left out.",
        "Annotate them, or leave them.",
    ),
    "outside classes": Saying(
        "D076", "issue", "{n} [picture lies|pictures lie] in no folder of a class and [was|were] left out.",
        "Move each into the folder of its class.",
    ),
    "table beside": Saying(
        "D076", "tip", "{n} [table lies|tables lie] beside the pictures and [was|were] not read.",
        "If it holds their labels, name the table in place of the folder.",
    ),
    "other file": Saying(
        "D076", "tip", "{n} more [file|files] of annotations [tells|tell] of the same pictures, or of no boxes, and [was|were] left aside.",
        "Name the file itself if you meant another.",
    ),
    "no part": Saying(
        "D076", "issue", "{n} [picture stands|pictures stand] in none of the lists of parts and [was|were] kept without a part.",
        "Add them to a list, or remove them.",
    ),
    "number twice": Saying(
        "D077", "issue", "{n} [number stands|numbers stand] for two pictures each; the annotations were given to the first.",
        "Give each picture a number of its own.",
    ),
    "several labels": Saying(
        "D077", "issue", "{n} [picture lies|pictures lie] in the folders of several classes.",
        "Decide on one class for each.",
    ),
    "several parts": Saying(
        "D077", "issue", "{n} [picture is|pictures are] listed for several parts; each was kept for the most strictly held out alone.",
        "List each in one part.",
    ),
    "listed twice": Saying(
        "D077", "tip", "{n} [picture is|pictures are] listed more than once; the annotations were joined.",
        "List each once.",
    ),
    "no picture": Saying(
        "D078", "tip", "{n} [file is|files are] of no kind of picture that is read and [was|were] passed over.",
        "Save pictures among them as JPEG or PNG.",
    ),
    "turned": Saying(
        "D079", "tip", "{n} [picture is|pictures are] stored on the side; the boxes were drawn on the stored pixels and turned along.",
        "Look at some on a contact sheet.",
    ),
    "perhaps turned": Saying(
        "D079", "issue", "{n} [picture is|pictures are] stored turned; boxes were taken to be drawn on the upright [picture|pictures].",
        "Look at some on a contact sheet. Save the pictures upright to be rid of the doubt.",
    ),
}  # fmt: skip
"""By a short name that only the readers use."""
_ORDER = {name: position for position, name in enumerate(SAYINGS)}


@dataclass
class _Entry:
    count: int = 0
    examples: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)


class Ledger:
    """Counts what is noticed, with a few examples of each kind."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def note(self, name: str, example: str, picture: str | None = None, *, times: int = 1) -> None:
        """Put down one thing of a kind in :data:`SAYINGS`; ``picture`` is the path of the row concerned, if it stays."""
        entry = self._entries.setdefault(name, _Entry())
        entry.count += times
        if len(entry.examples) < 5:
            entry.examples.append(example[:160])
        if picture is not None and len(entry.pictures) < 20 and picture not in entry.pictures[-1:]:
            entry.pictures.append(picture)

    def add(self, other: Ledger) -> None:
        """Take over all that another has put down."""
        for name, entry in other._entries.items():
            mine = self._entries.setdefault(name, _Entry())
            mine.count += entry.count
            mine.examples = (mine.examples + entry.examples)[:5]
            mine.pictures = (mine.pictures + entry.pictures)[:20]

    def count(self, name: str) -> int:
        """How often something of this kind was put down."""
        return self._entries[name].count if name in self._entries else 0

    def first(self, name: str) -> str:
        """The first example of this kind."""
        return self._entries[name].examples[0] if name in self._entries else ""

    def findings(self, rows: Mapping[str, int]) -> tuple[Finding, ...]:
        """All of it as findings; ``rows`` gives the row (from 0) of each picture that was kept, by path."""
        return tuple(
            self._told(name, self._entries[name], rows) for name in sorted(self._entries, key=_ORDER.__getitem__)
        )

    def _told(self, name: str, entry: _Entry, rows: Mapping[str, int]) -> Finding:
        saying = SAYINGS[name]
        text = _NUMBER.sub(lambda match: match[1 if entry.count == 1 else 2], saying.text)
        text = text.replace("{n}", f"{entry.count:,}")
        places = sorted({rows[path] + 1 for path in entry.pictures if path in rows})
        return Finding(
            saying.code, saying.level, text, saying.remedy, (), tuple(places), entry.count, tuple(entry.examples),
            {"kind": name},
        )  # fmt: skip
