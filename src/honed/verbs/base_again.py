"""The base that a packaged model was made from, opened again where it is still on this machine: to tell what was forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from honed.config import RunConfig, fill, load
from honed.errors import HonedError
from honed.finding import Finding
from honed.model import Model
from honed.zoo.resolve import resolve

CONFIG = "config.yaml"


def base_again(model: Model) -> tuple[Callable[[], Any] | None, list[Finding]]:
    """What gives the base as it came, as a network like the model's; or None, and why where it had one.

    Nothing is fetched, and a base whose weights are others than those of the bundle's manifest is none.
    """
    known = model.provenance.get("base") or {}
    if model.folder is None or not known or not hasattr(model.predictor, "network"):
        return None, []
    path = model.folder / CONFIG
    if not path.is_file():
        return None, [_absent("the bundle does not say where it came from")]
    try:
        config: RunConfig = load(path)
        base = resolve(config.base, kind=model.task.facts.base_kind, fetch=False)
        settings = fill(model.task.config, config.task_settings)
    except HonedError as error:
        return None, [_absent(f"{error.code}: {error.seen}")]
    if base.digest != known.get("digest"):
        return None, [_absent(f"the weights of {base.id} are others now")]
    from honed.networks.engine import device_of

    @cache
    def network() -> Any:
        device = device_of(model.predictor.network)  # type: ignore[attr-defined]
        return model.task.build(base, model.problem, settings, int(model.provenance.get("seed", 0))).to(device)

    return network, []


def _absent(why: str) -> Finding:
    message = f"What it forgot of its base cannot be told: {why}"
    return Finding(
        "E021", "not applicable", message.rstrip(".") + ".", "Put the base back where it was, to compare with it."
    )
