"""``serve``: models answer over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from honed.errors import ServeError

if TYPE_CHECKING:
    from honed.serving.settings import Limits

LOCAL = ("127.0.0.1", "::1", "localhost")


def serve(
    bundles: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    engine: str = "torch-fp32",
    weights: str = "float32",
    keys: str | Path | None = None,
    require_signature: str | Path | None = None,
    allow_unfit: str = "",
    shadow: Mapping[str, str | Path] | None = None,
    log: Any = None,
    log_text: str = "masked",
    allow_folders: Sequence[str | Path] = (),
    limits: Limits | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve packaged models over HTTP until the process is told to end (SIGTERM or Ctrl-C).

    Parameters
    ----------
    bundles : path or list of paths
        Folders of packaged models; names and versions may differ. The first of a name answers by default. Also decoders that
        were not fine-tuned: a folder in hub format, such as pretrain writes, a GGUF file, a checkpoint of llama2.c.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    engine : str
        What computes the answers; "auto" takes the fastest that agrees, "vllm" writes texts on a graphics card. Where nothing is
        said the fastest one in full precision writes texts.
    weights : str
        In what format texts are written: "float32", "bfloat16", "int8", "int4", or "auto" for the fastest that agrees on this machine.
    keys : path
        File of API keys; without it, and without the variable HONED_KEYS, everybody who reaches the port may ask.
    require_signature : path
        Public key that must have signed every bundle.
    allow_unfit : str
        Reason to serve a model whose evaluation says "do not ship".
    shadow : dict
        For a model's name another bundle that gets the same rows; its answers are compared, never returned.
    log : path, "postgresql://..." URL, or a log
        Where answers are kept for ``honed monitor``; nothing is kept when left out.
    log_text : str
        "masked", "none" or "raw": how texts are kept.
    allow_folders : list of paths
        Further folders from which /admin may load a bundle.
    limits : honed.serving.settings.Limits
        Bounds for sizes, rows, queue and time.
    started : callable (url)
        Called when the server answers.

    Raises
    ------
    BundleError, ServeError [H020, H021, H022, H024, H025]
    """
    import asyncio

    import uvloop

    from honed.serving.keys import read_keys
    from honed.serving.run import listening, serve_until_told
    from honed.serving.service import Service
    from honed.serving.settings import Admission, Limits, Settings

    paths = [Path(bundles)] if isinstance(bundles, str | Path) else [Path(bundle) for bundle in bundles]
    if not paths:
        raise ServeError("H025", "No bundle is named.", "Pass at least one, such as runs/NAME/model.")
    admission = Admission(Path(require_signature) if require_signature else None, allow_unfit.strip(), engine, weights)
    settings = Settings(limits or Limits(), admission, tuple(Path(folder) for folder in allow_folders))
    known = read_keys(Path(keys) if keys else None)
    with listening(host, port) as sock:
        url = _address(host, sock.getsockname()[1])
        if host not in LOCAL and not known:
            print(
                f"honed: WARNING: {host} can be reached from elsewhere and no keys are set: everybody may ask.",
                flush=True,
            )
        shadows = {name: Path(path) for name, path in (shadow or {}).items()}

        async def whole() -> None:
            service = Service(settings, known, _log(log, log_text))
            await serve_until_told(service, paths, shadows, sock, lambda: started(url) if started else None)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def _log(log: Any, text: str) -> Any:
    if log is None or hasattr(log, "record"):
        return log
    if text not in ("masked", "none", "raw"):
        raise ServeError("H025", f'log_text is "{text}".', "It may be masked, none or raw.")
    from honed.monitoring.log import PredictionLog

    return PredictionLog(log, text=text)  # type: ignore[arg-type]
