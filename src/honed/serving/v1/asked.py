"""What a client asks for, checked: every parameter is heeded or refused, none is ignored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from honed.errors import GenerationError, ServeError
from honed.generation.settings import Settings
from honed.serving.check import troubles_of
from honed.serving.v1.messages import messages_of

MOST_TEXTS, MOST_TOP, MOST_STOPS = 128, 20, 16
SHORT = 16
"""Tokens of a completion where nothing else is said, as OpenAI has it."""

_WHOLE = {"type": "integer", "minimum": 1, "maximum": 2**31}
_DRAWN: dict[str, dict[str, Any]] = {
    "temperature": {"type": "number", "minimum": 0, "maximum": 100},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "top_k": {"type": "integer", "minimum": 0, "maximum": 2**31},
    "min_p": {"type": "number", "minimum": 0, "maximum": 1},
    "repetition_penalty": {"type": "number", "minimum": 0.001, "maximum": 1000},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "seed": {"type": "integer", "minimum": -(2**63), "maximum": 2**63},
    "look_up": {"type": "integer", "minimum": 0, "maximum": 64},
    "regex": {"type": "string", "minLength": 1, "maxLength": 10_000},
}
"""Parameters that go to the generator under their own names; the last four are Honed's and others' additions."""
_COMMON: dict[str, dict[str, Any]] = {
    **_DRAWN, "model": {"type": "string"}, "max_tokens": _WHOLE, "n": {**_WHOLE, "maximum": MOST_TEXTS},
    "stream": {"type": "boolean"}, "stream_options": {"type": "object"}, "stop": {"type": ["string", "array"]},
    "logit_bias": {"type": "object"}, "user": {"type": "string", "maxLength": 256}, "response_format": {"type": "object"},
}  # fmt: skip
COMPLETION = {
    "properties": {**_COMMON, "prompt": {"type": ["string", "array"]}, "echo": {"type": "boolean"},
                   "logprobs": {"type": "integer", "minimum": 0, "maximum": MOST_TOP}},
    "required": ["prompt"],
}  # fmt: skip
CHAT = {
    "properties": {**_COMMON, "messages": {"type": "array"}, "max_completion_tokens": _WHOLE,
                   "logprobs": {"type": "boolean"}, "top_logprobs": {"type": "integer", "minimum": 0, "maximum": MOST_TOP}},
    "required": ["messages"],
}  # fmt: skip
NOTHING: dict[str, tuple[Any, ...]] = {
    "best_of": (1,), "suffix": ("",), "store": (False,), "service_tier": ("auto", "default"), "tools": ([],), "functions": ([],),
    "tool_choice": ("none",), "modalities": (["text"],),
}  # fmt: skip
"""Parameters that Honed does not have, and the values of them that ask for nothing."""


@dataclass(frozen=True)
class Asked:
    """A request for texts.

    Parameters
    ----------
    prompts : list
        Each a text, a list of token ids, or a list of messages.
    settings : dict
        For :class:`~honed.generation.settings.Settings`, what was said alone.
    most : int, optional
        Tokens of an answer, where the client says.
    n : int
        Answers for each prompt.
    top : int, optional
        Likeliest tokens told beside each.
    """

    prompts: list[Any]
    settings: dict[str, Any]
    most: int | None = None
    n: int = 1
    model: str | None = None
    stream: bool = False
    usage: bool = False
    echo: bool = False
    top: int | None = None
    user: str | None = None
    chat: bool = False
    stops: list[str] = field(default_factory=list)

    def texts(self, manner: dict[str, Any]) -> list[dict[str, Any]]:
        """A message for each text that is to be written.

        Parameters
        ----------
        manner : dict
            What the model says of itself; see :class:`~honed.generation.asking.Manner`.
        """
        most = self.most or manner["most_tokens"] or (None if self.chat else SHORT)
        settings = {"temperature": manner["temperature"], **self.settings, "max_tokens": most}
        seed = settings.get("seed")
        return [
            {"prompt": prompt, "strict": self.most is not None,
             "settings": settings if seed is None else {**settings, "seed": (seed + k) % 2**63}}
            for prompt in self.prompts for k in range(self.n)
        ]  # fmt: skip


def completion_asked(value: Any) -> Asked:
    """The request in a body for /v1/completions. Raises ServeError [H007], GenerationError [G001]."""
    given = _checked(value, COMPLETION)
    found = _common(given, given.get("logprobs"))
    if given.get("echo") and found.top is not None:
        raise refused(
            "echo",
            "echo with logprobs is not supported: probabilities of the prompt's tokens are not told",
            "Leave echo or logprobs out.",
        )
    prompts = _prompts(given["prompt"])
    if len(prompts) * found.n > MOST_TEXTS:
        raise refused(
            "n", f"{len(prompts)} prompts with n = {found.n} are too many", f"Ask for {MOST_TEXTS} texts at most."
        )
    return replace(found, prompts=prompts, echo=bool(given.get("echo")))


def chat_asked(value: Any) -> Asked:
    """The request in a body for /v1/chat/completions. Raises ServeError [H007], GenerationError [G001]."""
    given = _checked(value, CHAT)
    if given.get("top_logprobs") is not None and not given.get("logprobs"):
        raise refused("top_logprobs", "top_logprobs is given without logprobs", "Send logprobs: true with it.")
    if "max_completion_tokens" in given:
        if given.get("max_tokens", given["max_completion_tokens"]) != given["max_completion_tokens"]:
            raise refused("max_tokens", "max_tokens and max_completion_tokens differ", "Send one of them.")
        given["max_tokens"] = given["max_completion_tokens"]
    found = _common(given, given.get("top_logprobs", 0) if given.get("logprobs") else None)
    return replace(found, prompts=[messages_of(given["messages"])], chat=True)


def refused(name: str, seen: str, remedy: str) -> ServeError:
    """A parameter that cannot be heeded."""
    return ServeError("H007", f"{seen}.", remedy, details={"param": name})


def _checked(value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """The parameters that say something. A null says nothing, as OpenAI's clients have it."""
    if not isinstance(value, dict):
        raise ServeError("H007", "The body is no JSON object.", "Send an object with the parameters; see /docs.")
    given = {name: one for name, one in value.items() if one is not None}
    for name, idle in NOTHING.items():
        if name in given and given.pop(name) not in idle:
            raise refused(name, f'The parameter "{name}" is not supported', "Leave it out.")
    for trouble in troubles_of(given, schema):
        remedy = "Leave it out." if "there is no field" in trouble["trouble"] else "See docs/serving.md."
        raise refused(trouble["field"], _sentence(trouble["trouble"]), remedy)
    return given


def _sentence(text: str) -> str:
    whole = (
        text.partition("; the model reads")[0].removesuffix(".").replace("there is no field", "there is no parameter")
    )
    return whole[:1].upper() + whole[1:].replace("the field", "the parameter")


def _common(given: dict[str, Any], top: int | None) -> Asked:
    settings = {name: given[name] for name in _DRAWN if name in given} | _form(given)
    if "seed" in settings:
        settings["seed"] %= 2**63
    stop = given.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if len(stops) > MOST_STOPS or not all(isinstance(one, str) and 0 < len(one) <= 1000 for one in stops):
        raise refused(
            "stop", "stop is no text, and no list of them", f"Give 1 to {MOST_STOPS} texts that are not empty."
        )
    bias = _bias(given.get("logit_bias", {}))
    settings |= ({"stop": stops} if stops else {}) | ({"logit_bias": bias} if bias else {})
    settings |= {} if top is None else {"logprobs": top}
    try:
        Settings(**{**settings, "logit_bias": {int(token): value for token, value in bias.items()}})
    except GenerationError as error:
        name = error.seen.partition(" ")[0]
        raise GenerationError(error.code, error.seen, error.remedy, details={"param": name}) from None
    if "stream_options" in given and not given.get("stream"):
        raise refused("stream_options", "stream_options is given without stream", "Send stream: true with it.")
    return Asked(
        [], settings, given.get("max_tokens"), given.get("n", 1), given.get("model"), given.get("stream", False),
        _usage(given.get("stream_options", {})), top=top, user=given.get("user"),
    )  # fmt: skip


def _usage(options: dict[str, Any]) -> bool:
    strange = [name for name, one in options.items() if name != "include_usage" and one]
    if strange or not isinstance(options.get("include_usage", False), bool | None):
        raise refused("stream_options", "stream_options has something else than include_usage", "Leave it out.")
    return bool(options.get("include_usage"))


def _bias(given: dict[str, Any]) -> dict[str, float]:
    """Biases by token id, as texts, for that is how they travel."""
    for token, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and -100 <= value <= 100
        if not (token.isascii() and token.isdigit() and len(token) < 10) or not number:
            raise refused(
                "logit_bias", f'logit_bias has "{token[:40]}": {str(value)[:40]}', "Give ids and -100 to 100."
            )
    return given


def _form(given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("response_format", {})
    kind, more = wanted.get("type", "text"), wanted.get("json_schema")
    if "regex" in given and kind != "text":
        raise refused("regex", "regex and response_format exclude each other", "Send one of them.")
    if kind == "json_schema":
        schema = more.get("schema") if isinstance(more, dict) else None
        if not isinstance(schema, dict):
            raise refused(
                "response_format", "response_format has no json_schema.schema", "Give the schema as an object."
            )
        return {"json_schema": schema}
    if kind not in ("text", "json_object"):
        raise refused(
            "response_format",
            f'"{str(kind)[:40]}" is no response_format',
            "It may be text, json_object or json_schema.",
        )
    return {"json_schema": {"type": "object"}} if kind == "json_object" else {}


def _prompts(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [_whole(given)]
    if _all(given, int):
        return [given]
    if given and len(given) <= MOST_TEXTS and (_all(given, str) or all(_all(one, int) for one in given)):
        return [_whole(one) if isinstance(one, str) else one for one in given]
    seen = "prompt is no text, no list of token ids, and no list of those"
    raise refused("prompt", seen, f"Send one prompt, or 1 to {MOST_TEXTS}.")


def _whole(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise refused("prompt", "prompt holds half a character (a lone surrogate)", "Send whole characters.")
    return text


def _all(given: Any, kind: type) -> bool:
    return isinstance(given, list) and bool(given) and all(type(one) is kind for one in given)


Reader = Callable[[Any], Asked]
