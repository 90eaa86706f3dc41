"""Bundles of every format ever written open, and answer what they answered when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import honed
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


def test_an_old_reference_still_serves(tmp_path: Path) -> None:
    """A reference of the first format: inputs are compared, answers are not, for it did not hold them from held-out rows."""
    import shutil

    from honed.bundle.manifest import MANIFEST
    from honed.files import read_json, sha256, write_json
    from tests import monitored

    bundle = monitored.make_bundle(tmp_path / "model")
    shutil.copy(Path(__file__).parent / "reference_of_format_1.parquet", bundle / "reference.parquet")
    facts = read_json(bundle / MANIFEST)
    facts["files"]["reference.parquet"] = sha256(bundle / "reference.parquet")
    write_json(bundle / MANIFEST, facts)
    quiet = honed.monitor(bundle, [{"text": row["text"]} for row in monitored.rows(3000, 7)], window=500)
    assert quiet.state == "ok" and any("older kind" in limit for limit in quiet.limits)
    rows = monitored.rows(1000, 7, change=monitored.new_words)
    found = honed.monitor(bundle, [{"text": row["text"]} for row in rows], window=500)
    assert {alert.name for alert in found.alerts} >= {"text: words"}


def test_a_bundle_without_a_reference_is_told() -> None:
    with pytest.raises(honed.HonedError, match="M003"):
        honed.monitor(KEPT[0], ["a text"])
