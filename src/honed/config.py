"""All settings of a run, as one tree of dataclasses.

Every field has a default, a unit where it is a quantity, and bounds. Command-line flags, the YAML file of a run and
the reference page are made from this tree, so a setting has one name everywhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from honed.errors import ConfigError


def setting(
    default: Any, text: str, *, low: float | None = None, high: float | None = None, among: tuple[str, ...] = ()
) -> Any:
    """A field with its description and bounds (inclusive), or the words it may be."""
    metadata = {"text": text, "low": low, "high": high, "among": among}
    if isinstance(default, dict | list):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class DataConfig:
    """Which columns play which part, and how rows are divided."""

    target: str | None = setting(None, "column to predict; found by itself when left out")
    text: list[str] = setting([], "columns the model reads; found by itself when left out")
    time: str | None = setting(None, "column that says when a row happened; splits then respect time")
    group: list[str] = setting([], "columns whose groups are compared in the evaluation, never inputs")
    entity: str | None = setting(None, "column that says whom a row belongs to; its rows stay on one side of a split")
    validation: float = setting(0.1, "share of rows for choosing among methods", low=0.02, high=0.5)
    test: float = setting(0.1, "share of rows for the final evaluation, touched once", low=0.0, high=0.5)


@dataclass
class TrainingConfig:
    """How the ladder is climbed."""

    time_limit_s: float | None = setting(None, "seconds for the whole ladder; none means until no gain", low=1)
    seed: int = setting(0, "seed of everything random", low=0, high=2**31 - 1)
    stop_after: str = setting(
        "soup",
        "the last rung to try",
        among=("baseline", "zero-shot", "probe", "contrastive", "fine-tune", "preference", "soup"),
    )
    precision: str = setting("auto", "number format of training; auto times both", among=("auto", "fp32", "bf16"))
    epochs: int = setting(0, "passes over the data when fine-tuning; 0 lets Honed choose", low=0, high=1000)
    batch_size: int = setting(0, "examples in one optimizer step; 0 lets Honed choose", low=0, high=4096)
    learning_rate: float = setting(0.0, "highest learning rate of the encoder; 0 lets Honed choose", low=0.0, high=1.0)
    layer_decay: float = setting(0.9, "each layer below the top learns by this factor slower", low=0.1, high=1.0)
    weight_decay: float = setting(0.01, "pull of the weights towards zero", low=0.0, high=1.0)
    train_embeddings: bool = setting(
        False, "also train the table of word vectors; it is half of a small model and hardly gains"
    )
    dropout: bool = setting(False, "keep the base's dropout while fine-tuning; it costs a third of the time")
    race: int = setting(3, "configurations that start the race; 1 takes the default one", low=1, high=6)
    patience: int = setting(2, "evaluations without gain before fine-tuning stops", low=1, high=100)
    average: str = setting(
        "auto",
        "keep a moving average of the weights while fine-tuning and ship the better; auto where it was seen to help",
        among=("auto", "on", "off"),
    )
    adapter: str = setting(
        "auto", "train all weights, or low-rank adapters beside weights that are perhaps held in few bits",
        among=("auto", "full", "lora", "lora-int8", "lora-int4"),
    )  # fmt: skip
    memory_limit_mib: float | None = setting(None, "memory the run may use; none means what the machine has", low=64)


@dataclass
class RunConfig:
    """Settings of one run. ``task_settings`` are those of the task's own dataclass."""

    task: str = setting("auto", "kind of work; auto takes the one that fits the data")
    base: str | None = setting(
        None, "pre-trained model: a name of the zoo or a folder; none takes the one that comes with Honed"
    )
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    task_settings: dict[str, Any] = setting({}, "settings of the task")


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """The tree as one level: ``{"training.seed": 0, ...}``."""
    flat: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            flat.update(flatten(value, f"{prefix}{item.name}."))
        else:
            flat[prefix + item.name] = value
    return flat


def override(config: Any, changes: dict[str, Any]) -> set[str]:
    """Set dotted names to values (text is converted to the field's type); returns the names that were set.

    Raises
    ------
    ConfigError [C001, C002, C003]
        Unknown name (close ones are suggested), wrong type, or out of bounds.
    """
    for name, value in changes.items():
        _set_one(config, name, value)
    return set(changes)


def _set_one(config: Any, name: str, value: Any) -> None:
    holder, _, leaf = name.rpartition(".")
    place = config
    for part in filter(None, holder.split(".")):
        place = getattr(place, part, None)
        if isinstance(place, dict):
            place[leaf] = value
            return
    known = {item.name: item for item in dataclasses.fields(place)} if dataclasses.is_dataclass(place) else {}
    if leaf not in known or dataclasses.is_dataclass(getattr(place, leaf)):
        names = list(flatten(config))
        close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
        raise ConfigError(
            "C001", f'There is no setting "{name}".', f"Close ones: {', '.join(close) or ', '.join(names)}."
        )
    kind = typing.get_type_hints(type(place))[leaf]
    converted = convert(name, value, kind)
    check_bounds(name, converted, known[leaf].metadata)
    setattr(place, leaf, converted)


def convert(name: str, value: Any, kind: Any) -> Any:
    """Bring a value (perhaps text from a flag) to the type of its field, or raise ConfigError [C002]."""
    options = list(typing.get_args(kind)) if isinstance(kind, types.UnionType) else [kind]
    if value is None and type(None) in options:
        return None
    target = next(option for option in options if option is not type(None))
    try:
        return _convert(value, target)
    except (TypeError, ValueError):
        wanted = getattr(target, "__name__", str(target))
        raise ConfigError(
            "C002", f'"{value}" does not fit the setting {name}.', f"It takes {_WORDS.get(wanted, wanted)}."
        ) from None


_WORDS = {"int": "a whole number", "float": "a number", "str": "text", "list": "a list", "bool": "true or false"}


def _convert(value: Any, target: Any) -> Any:
    origin = typing.get_origin(target) or target
    if origin is list:
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
        return [str(part) for part in parts if part != ""]
    if origin is dict:
        return dict(value)
    if origin is bool and isinstance(value, str):
        return (
            {"true": True, "false": False, "1": True, "0": False}[value.lower()]
            if value.lower() in _BOOLS
            else int("x")
        )
    if origin is float and isinstance(value, str):
        return seconds(value)
    if origin is int and isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return origin(value)


_BOOLS = ("true", "false", "1", "0")


def seconds(text: str) -> float:
    """A number, or a duration such as ``90s``, ``10m``, ``1.5h``, in seconds; ValueError for anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    text = text.strip().lower()
    return float(text[:-1]) * units[text[-1]] if text and text[-1] in units else float(text)


def check_bounds(name: str, value: Any, bounds: typing.Mapping[str, Any]) -> None:
    """Raise ConfigError [C003] when a value lies outside what its field allows."""
    among, low, high = bounds.get("among"), bounds.get("low"), bounds.get("high")
    if among and value not in among:
        raise ConfigError("C003", f'{name} is "{value}".', f"It may be {', '.join(among)}.")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if value != value or (low is not None and value < low) or (high is not None and value > high):
        raise ConfigError(
            "C003", f"{name} is {value}.", f"It must lie between {low} and {'any size' if high is None else high}."
        )


def fill(kind: type, changes: dict[str, Any]) -> Any:
    """A dataclass of this kind with defaults, and the changes applied and checked."""
    config = kind()
    override(config, changes)
    return config


def as_yaml(config: Any) -> str:
    """The whole tree as YAML text, defaults filled in."""
    return yaml.safe_dump(dataclasses.asdict(config), sort_keys=False, allow_unicode=True)


def load(path: Path, kind: Callable[[], Any] = RunConfig) -> Any:
    """A run's settings from a YAML file, as a tree of this kind.

    Raises
    ------
    ConfigError [C004]
        The file is missing or is not a mapping in YAML.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            "C004",
            f"The settings file {path} cannot be read: {type(error).__name__}.",
            "Check the path and that it is YAML.",
        ) from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError(
            "C004", f"The settings file {path} holds no settings.", "Write lines such as `base: my-model`."
        )
    config = kind()
    override(config, dict(_leaves(content, config)))
    return config


def _leaves(content: dict[str, Any], config: Any, prefix: str = "") -> typing.Iterator[tuple[str, Any]]:
    for key, value in content.items():
        below = getattr(config, str(key), None)
        if isinstance(value, dict) and dataclasses.is_dataclass(below):
            yield from _leaves(value, below, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value
