"""vLLM, loaded so that it reports nothing, fetches nothing and stays in this process; or a sentence on why it cannot be."""

from __future__ import annotations

import importlib.util
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from honed.errors import GenerationError

SILENT = {
    "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}  # fmt: skip
"""No statistics of use to anybody, nothing from a hub, and the scheduler in the process that steps it. Whatever stood there before."""
USUAL = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_HOST_IP": "127.0.0.1", "VLLM_LOOPBACK_IP": "127.0.0.1"}
"""Where nothing is set: only errors are told, and this machine's address is not asked for."""


def import_vllm() -> Any:
    """The package vllm.

    Raises
    ------
    GenerationError [G007]
        It is not installed, or cannot be loaded on this machine.
    """
    if importlib.util.find_spec("vllm") is None:
        seen = "The engine vllm needs the package vllm, which is not installed."
        raise GenerationError("G007", seen, 'pip install "honed[vllm]", or leave the engine to auto.')
    os.environ.update(SILENT)
    for name, value in USUAL.items():
        os.environ.setdefault(name, value)
    try:
        with quietly():
            import vllm
            import vllm.engine.arg_utils
            import vllm.v1.engine.llm_engine
    except Exception as error:
        seen = f"The package vllm cannot be loaded here ({type(error).__name__}: {str(error)[:200]})."
        raise GenerationError(
            "G007", seen, "Install the vllm made for this machine, or leave the engine to auto."
        ) from error
    return vllm


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings that vLLM and what it loads give about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Held:
    """The engines of this process. They share what vLLM sets up for a process, so none is ended while another is in use."""

    def __init__(self) -> None:
        self._engines: list[Any] = []
        self._in_use: set[int] = set()
        self._lock = threading.Lock()

    def hold(self, engine: Any) -> Any:
        """Keep an engine; gives it back."""
        with self._lock:
            self._engines.append(engine)
            self._in_use.add(id(engine))
        return engine

    def let_go(self, engine: Any) -> None:
        """An engine is not used any more; with the last one all are ended."""
        with self._lock:
            self._in_use.discard(id(engine))
            if self._in_use:
                return
            for one in self._engines:
                with suppress(Exception), quietly():
                    one.engine_core.shutdown()
            self._engines.clear()


HELD = Held()
