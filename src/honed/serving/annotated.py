"""An answer as a picture: what was sent, with the objects that were found drawn on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from honed.errors import ServeError
from honed.serving.attached import decoded, file_fields

KINDS = {"image/png": "PNG", "image/jpeg": "JPEG"}
MOST_SIDE = 2048
"""Pixels of the longer side of what is given; it is for people to look at."""
YES = ("1", "true", "yes")


def finds_objects(output: Mapping[str, Any]) -> bool:
    """Answers of this schema are lists of objects with boxes."""
    one = output.get("properties", {}).get("prediction", {}).get("items", {})
    return isinstance(one, dict) and "box" in one.get("properties", {})


def kind_asked(accept: str, annotated: str) -> str:
    """The kind of picture that a request asks for, "" where it asks for JSON.

    A header that names other kinds too, besides JSON, was not written with this in mind (Java's names image/jpeg by itself)
    and asks for JSON.

    Parameters
    ----------
    accept : str
        The header Accept.
    annotated : str
        The parameter of this name in the address.
    """
    weights = _weights(accept)
    pictures = {kind: weights.get(kind, weights.get("image/*", 0.0)) for kind in KINDS}
    best = max(pictures, key=lambda kind: pictures[kind])
    meant = not weights.keys() - {*KINDS, "image/*", "*/*", "application/json"}
    by_header = meant and pictures[best] > weights.get("application/json", 0.0)
    return best if by_header or annotated.lower() in YES else ""


def _weights(accept: str) -> dict[str, float]:
    """Each kind that a header Accept names, with its q."""
    found = {}
    for part in accept.lower().split(","):
        kind, _, parameters = part.partition(";")
        if kind.strip():
            found[kind.strip()] = _weight(parameters)
    return found


def _weight(parameters: str) -> float:
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def check_drawable(output: Mapping[str, Any], given: Mapping[str, Any], n: int) -> None:
    """Raises ServeError [H027] where there is nothing to draw on, or more than one picture."""
    if not finds_objects(output) or len(file_fields(dict(given))) != 1:
        seen = "The answers of this model have no boxes, so there is nothing to draw."
        raise ServeError("H027", seen, "Ask for JSON: leave ?annotated=1 away, or send Accept: application/json.")
    if n != 1:
        seen = f"The request has {n:,} pictures; one at a time is drawn on."
        raise ServeError("H027", seen, "Send one picture a request, or ask for JSON.")


def annotated(
    row: dict[str, Any], given: Mapping[str, Any], found: Sequence[Mapping[str, Any]], labels: Sequence[str], kind: str
) -> bytes:
    """The picture of a row with what was found on it, as the bytes of a PNG or JPEG.

    Parameters
    ----------
    given : mapping
        The schema of an input.
    labels : sequence of str
        All that the model knows, so that a label has one colour on all pictures.
    """
    from honed.data.pictures import open_picture, picture_facts
    from honed.media.colours import class_colours
    from honed.media.drawn_objects import as_bytes, drawn

    (name,) = file_fields(dict(given))
    content = decoded([row], [name])[0][name]
    facts = picture_facts(content)
    scale = min(1.0, MOST_SIDE / max(facts.height, facts.width))
    picture = open_picture(content, at_least=(ceil(facts.height * scale), ceil(facts.width * scale)))
    colours = class_colours([*labels, *(str(item["label"]) for item in found)])
    image = drawn(picture, found, most_side=MOST_SIDE, colours=colours, full_size=(facts.height, facts.width))
    return as_bytes(image, KINDS[kind])
