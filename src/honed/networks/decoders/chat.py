"""Messages of a chat as the text a model was trained on, by the template that comes with it, in a sandbox."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from honed.errors import ZooError


class ChatTemplate:
    """A template in Jinja's language, as hubs keep them; it can reach nothing but what it is given.

    Parameters
    ----------
    source : str
    names : mapping
        Special tokens that templates mention: bos_token, eos_token, ...
    """

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self.source = source
        self._names = dict(names)
        place = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        place.filters["tojson"] = _as_json
        place.globals |= {"raise_exception": _refuse, "strftime_now": _now}
        try:
            self._template = place.from_string(source)
        except TemplateError as error:
            raise _unusable(f"has a mistake ({error})") from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        answer: bool = True,
        tools: Sequence[Any] | None = None,
        **more: Any,
    ) -> str:
        """The text of a chat; with ``answer`` it ends where the model is to answer.

        Raises
        ------
        ZooError [Z044]
            The template refuses these messages or fails on them.
        """
        given = {**self._names, **more, "messages": [dict(one) for one in messages], "add_generation_prompt": answer}
        try:
            return self._template.render(**given, tools=list(tools) if tools else None)
        except Exception as error:  # a template may fail in any way its author did not think of
            raise _unusable(f"refuses these messages ({str(error)[:200]})") from error


def template_in(folder: Path, config: Mapping[str, Any], names: Mapping[str, str]) -> ChatTemplate | None:
    """The template of a folder: chat_template.jinja, else the entry of tokenizer_config.json, else None."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return ChatTemplate(path.read_text(encoding="utf-8"), names)
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {str(one.get("name")): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return ChatTemplate(found, names) if isinstance(found, str) else None


def _unusable(why: str) -> ZooError:
    return ZooError(
        "Z044", f"The model's chat template {why}.", "Check the roles and their order, or use plain prompts."
    )


def _as_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise ValueError(message)


def _now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)
