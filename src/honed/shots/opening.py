"""From the name of a model and examples to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from honed.config import override
from honed.progress import Progress
from honed.shots.base import Base
from honed.shots.examples import read_examples
from honed.shots.few_shot import FewShot
from honed.shots.settings import FewShotConfig


def is_address(name: Any) -> bool:
    """True for the address of a model elsewhere."""
    return isinstance(name, str) and name.startswith(("https://", "http://"))


def open_few_shot(
    model: str | Path | Base, columns: Sequence[str], *, examples: Any = None, target: str | None = None,
    labels: Sequence[str] = (), schema: str | Path | Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None,
    allow_remote: bool = False, dry: bool = False, progress: Progress | None = None,
) -> FewShot:  # fmt: skip
    """A model with examples in hand.

    Parameters
    ----------
    model : path, name or Base
        A bundle that writes text, a folder in hub format, a GGUF file, a checkpoint of llama2.c, a hub name, or an address such
        as ``https://host/v1#model``.
    columns : sequence of str
        Columns of the rows that will be asked; empty where they are those of the examples.
    examples : path, list of dict, frame, optional
    target : str, optional
        Column of the answers.
    labels, schema
        All that may be answered; the fields of an answer.
    settings : mapping
        See :class:`~honed.shots.settings.FewShotConfig`.
    allow_remote : bool
        Rows may be sent to an address, personal data masked.
    dry : bool
        Prompts are only looked at, nothing is asked: the examples are not judged, and no address needs a permission.

    Raises
    ------
    ConfigError, DataError, ZooError, BundleError, GenerationError
    """
    config = FewShotConfig()
    override(config, dict(settings or {}))
    given = read_examples(examples, columns, config, target=target, labels=labels, schema=schema)
    config.judge_examples = config.judge_examples and not dry
    if isinstance(model, str | Path):
        model = _base(model, config, allow_remote, dry, progress)
    return FewShot(model, given, config, progress=progress)


def _base(name: str | Path, config: FewShotConfig, allow_remote: bool, dry: bool, progress: Progress | None) -> Base:
    if is_address(name):
        from honed.shots.remote import remote_base

        return remote_base(str(name), config.remote, allowed=allow_remote, dry=dry)
    from honed.shots.local import local_base

    return local_base(name, engine=config.engine, weights=config.weights, progress=progress)
