"""Files of annotations as plain objects. XML is read without any of what makes it dangerous."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import yaml

from honed.errors import DataError

MOST_XML_BYTES = 64 << 20


def damaged(path: Path, why: str) -> DataError:
    """D063 as one sentence."""
    return DataError("D063", f"The annotations in {path} cannot be read: {why}.", "Export them again.")


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises
    ------
    DataError [D063]
        It is none, or not UTF-8.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from None


def read_yaml(path: Path) -> Any:
    """A YAML file, of plain types only.

    Raises
    ------
    DataError [D063]
        It is none, or not UTF-8.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise damaged(path, " ".join(str(error).split())[:160]) from None


def read_xml(path: Path) -> Element:
    """The root of an XML file. Declarations (DTDs), with which entities could grow or name other files, are refused.

    Raises
    ------
    DataError [D063]
        It is no XML, has declarations, or is larger than 64 MiB.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    parser.buffer_text = True
    if path.stat().st_size > MOST_XML_BYTES:
        raise damaged(path, "it is larger than 64 MiB")
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, ValueError) as error:
        raise damaged(path, str(error)) from None


def _refuse(name: str, system: str | None, public: str | None, has_subset: int) -> None:
    raise ValueError("it has a document type declaration, which is refused for safety")
