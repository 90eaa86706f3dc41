"""``export``: a packaged model for other runtimes, or for the machine that is to serve it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from honed.model import Model
from honed.progress import Progress

if TYPE_CHECKING:
    from honed.exporting.results import ExportReport


def export(
    model: str | Path | Model, to: str, out: str | Path, *, data: Any = None, progress: Progress | None = None
) -> ExportReport:
    """Write a folder that runs without Honed: model, tokenizer, labels, thresholds, licence and a README that shows how.

    The code of the README is run in a fresh process and must answer like the model; else nothing is kept.

    Parameters
    ----------
    to : str
        "onnx", "onnx-int8", "openvino", "openvino-int8", "transformers" or "mlflow".
    out : path
        Folder to write; an earlier export there is replaced when the new one is whole.
    data : path, list, or frame, optional
        Rows to check on; with labels the loss of accuracy is measured and stated.

    Raises
    ------
    BundleError [B031..B034], DataError, RunError [R010, R011]
    """
    from honed.exporting.write import export_model

    loaded = model if isinstance(model, Model) else Model.load(model)
    return export_model(loaded, to, Path(out), data=data, progress=progress)


def deploy(
    bundle: str | Path, out: str | Path, *, port: int = 8000, engine: str = "auto", data: Any = None,
    progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Write what an administrator needs to serve a bundle: a systemd unit, a Dockerfile, and a README; returns ``out``.

    Parameters
    ----------
    engine : str
        What the server computes with; for "auto" the engines are measured here, so that the server may choose among all that
        agree although it has no rows.
    data : path, list, or frame, optional
        Rows to measure on, best with their labels; the run's own when left out.

    Raises
    ------
    BundleError, ConfigError [C003], DataError, RunError [R010, R011]
    """
    from honed.exporting.deploy import write_deployment

    return write_deployment(Path(bundle), Path(out), port=port, engine=engine, data=data, progress=progress)
