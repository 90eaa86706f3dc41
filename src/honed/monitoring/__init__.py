"""Watching a model in production: the log of its answers, comparison with its reference, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from honed.monitoring.log import PredictionLog
    from honed.monitoring.overview import gauges, summary

_HOME = {"PredictionLog": "log", "summary": "overview", "gauges": "overview"}
__all__ = ["PredictionLog", "gauges", "summary"]


def __getattr__(name: str) -> Any:
    """Names load their modules when first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'honed.monitoring' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"honed.monitoring.{_HOME[name]}"), name)
