"""Honed puts pre-trained models to work on your own data.

>>> import honed
>>> result = honed.finetune("tickets.csv", target="team")
>>> result.model.predict(["my laptop does not start"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "inspect": "honed.verbs.inspect",
    "finetune": "honed.verbs.finetune",
    "evaluate": "honed.verbs.evaluate",
    "predict": "honed.verbs.predict",
    "pretrain": "honed.verbs.pretrain",
    "models": "honed.verbs.models",
    "monitor": "honed.verbs.monitor",
    "promote": "honed.verbs.deploy",
    "rollback": "honed.verbs.deploy",
    "explain": "honed.verbs.explain",
    "export": "honed.verbs.export",
    "eject": "honed.verbs.eject",
    "serve": "honed.verbs.serve",
    "sign": "honed.verbs.trust",
    "verify": "honed.verbs.trust",
    "Model": "honed.model",
    "HonedError": "honed.errors",
}
__all__ = [
    "HonedError",
    "Model",
    "eject",
    "evaluate",
    "explain",
    "export",
    "finetune",
    "inspect",
    "models",
    "monitor",
    "predict",
    "pretrain",
    "promote",
    "rollback",
    "serve",
    "sign",
    "verify",
]

if TYPE_CHECKING:
    from honed.errors import HonedError
    from honed.model import Model
    from honed.verbs.deploy import promote, rollback
    from honed.verbs.eject import eject
    from honed.verbs.evaluate import evaluate
    from honed.verbs.explain import explain
    from honed.verbs.export import export
    from honed.verbs.finetune import finetune
    from honed.verbs.inspect import inspect
    from honed.verbs.models import models
    from honed.verbs.monitor import monitor
    from honed.verbs.predict import predict
    from honed.verbs.pretrain import pretrain
    from honed.verbs.serve import serve
    from honed.verbs.trust import sign, verify


def __getattr__(name: str) -> Any:
    """Public names load their modules when first used, so that ``import honed`` stays quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'honed' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
