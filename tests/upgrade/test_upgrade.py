"""Bundles of every format ever written open, and answer what they answered when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from honed import Model
from honed.bundle.manifest import FORMAT_VERSION

KEPT = sorted(path for path in Path(__file__).parent.glob("format_*/*") if path.is_dir())


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_kept_bundle_opens(folder: Path) -> None:
    known = json.loads(folder.with_suffix(".json").read_text())
    model = Model.load(folder)
    np.testing.assert_allclose(model.outputs(model.inputs(known["texts"])), known["outputs"], atol=1e-4)
    answers = model.predict(known["texts"])
    if isinstance(answers[0], float):
        np.testing.assert_allclose(answers, known["labels"], rtol=1e-4)
    else:
        assert answers == known["labels"]


def test_every_format_is_kept() -> None:
    assert {folder.parent.name for folder in KEPT} == {f"format_{version}" for version in range(1, FORMAT_VERSION + 1)}
    size = sum(path.stat().st_size for folder in KEPT for path in folder.rglob("*"))
    assert size < 1_000_000
