"""``predict``: answers for rows in memory, by a packaged model or by a decoder with examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from honed.model import Model


def predict(
    model: str | Path | Model,
    data: Any,
    *,
    examples: Any = None,
    target: str | None = None,
    labels: Sequence[str] = (),
    schema: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    allow_remote: bool = False,
) -> list[Any]:
    """The answer for each row of a list, frame or file; for large files use ``honed.prediction.predict_file``.

    Parameters
    ----------
    model : path, name or Model
        A packaged model. With examples, labels or a schema: any decoder (a bundle that writes text, a folder in hub format, a GGUF
        file, a checkpoint of llama2.c, a hub name), or ``https://host/v1#model``.
    examples : path, list of dict or frame, optional
        Rows with their answers, shown to the model with each row (few-shot); nothing is learnt.
    target : str, optional
        Column of the answers, where the examples do not tell.
    labels : sequence of str
        All labels that may be answered; by default those of the examples.
    schema : path or dict, optional
        JSON schema of answers that are objects; by default that of the examples.
    settings : dict, optional
        Of few-shot: ``{"shots": 4, "choice": "random", "instruction": "..."}``.
    allow_remote : bool
        Rows may be sent to the address, personal data masked.

    Returns
    -------
    list
        Labels, texts, objects, or numbers; None where a row had nothing to read or got no answer of the wanted form.

    Raises
    ------
    BundleError, DataError, ConfigError, ZooError, GenerationError
    """
    few = examples is not None or labels or schema is not None or settings is not None
    if few and not isinstance(model, Model):
        return _by_examples(
            model, data, examples=examples, target=target, labels=labels, schema=schema, settings=settings,
            allow_remote=allow_remote,
        )  # fmt: skip
    loaded = model if isinstance(model, Model) else Model.load(model)
    if isinstance(data, Path) or (isinstance(data, str) and Path(data).is_file()):
        from honed.data.read import read_table

        data = read_table(data)
    return loaded.predict(data)


def _by_examples(model: str | Path, data: Any, **given: Any) -> list[Any]:
    from honed.data.read import read_table
    from honed.shots.examples import row_texts
    from honed.shots.files import answer_rows
    from honed.shots.opening import open_few_shot

    alone = isinstance(data, Sequence) and not isinstance(data, str) and bool(data) and isinstance(data[0], str)
    few = open_few_shot(model, [] if alone else read_table(data).names, **given)
    table = read_table([{few.examples.names[0]: text} for text in data] if alone else data)
    rows = row_texts(table, few.examples.names)
    values: list[Any] = []
    for start in range(0, len(rows), few.base.at_once):
        values += answer_rows(few, rows[start : start + few.base.at_once])[0].values
    return values
