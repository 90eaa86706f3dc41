"""``predict``: answers for rows in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honed.model import Model


def predict(model: str | Path | Model, data: Any) -> list[Any]:
    """The answer for each row of a list, frame or file; for large files use ``honed.prediction.predict_file``.

    Raises
    ------
    BundleError, DataError
    """
    loaded = model if isinstance(model, Model) else Model.load(model)
    if isinstance(data, Path) or (isinstance(data, str) and Path(data).is_file()):
        from honed.data.read import read_table

        data = read_table(data)
    return loaded.predict(data)
