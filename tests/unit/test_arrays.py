"""Columns built from buffers equal those of pyarrow, and predicting a file leaves pandas alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from honed.data import arrays


@pytest.mark.parametrize("values", [
    [], ["a"], ["", "ä", None, "x" * 300, "last"], [None, None], ["y" if i % 3 else None for i in range(17)],
])  # fmt: skip
def test_texts(values: list[Any]) -> None:
    found = arrays.texts(values)
    found.validate(full=True)
    assert found.equals(pa.array(values, type=pa.string()))


@pytest.mark.parametrize("n", [0, 1, 8, 13])
def test_numbers_and_flags(n: int) -> None:
    rng = np.random.default_rng(n)
    table = rng.normal(size=(n, 3)).astype(np.float32)
    for column in (table[:, 1], rng.normal(size=n)):
        found = arrays.numbers(column)
        found.validate(full=True)
        assert found.equals(pa.array(column.astype(np.float64)))
    truths = rng.random(n) < 0.5
    found = arrays.flags(truths)
    found.validate(full=True)
    assert found.equals(pa.array(truths))


def test_predicting_a_file_leaves_pandas_alone(network_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    source = tmp_path / "rows.csv"
    source.write_text("id,text\n1,printer\n2,password\n3,\n4,screen\n", encoding="utf-8")
    code = (
        "import sys; from honed import Model; from honed.prediction import predict_file; "
        "before = 'pandas' in sys.modules; predict_file(Model.load(sys.argv[1]), sys.argv[2], sys.argv[3]); "
        "print(before or 'pandas' not in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(network_bundle), str(source), str(tmp_path / "answers.csv")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert len((tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()) == 5
