"""Settings: one name everywhere, checked when set, there and back through YAML."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honed.config import RunConfig, as_yaml, flatten, load, override, seconds
from honed.errors import ConfigError


def test_yaml_there_and_back(tmp_path: Path) -> None:
    config = RunConfig()
    override(
        config,
        {
            "training.seed": "7",
            "data.text": ["a", "b"],
            "base": "x",
            "training.time_limit_s": "90",
            "task_settings.max_length": 64,
        },
    )
    (tmp_path / "c.yaml").write_text(as_yaml(config))
    assert flatten(load(tmp_path / "c.yaml")) == flatten(config)


@pytest.mark.parametrize(("text", "wanted"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 m ", 120)])
def test_times(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@given(st.text(max_size=8))
def test_no_text_breaks_times(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(seconds(text), float)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("training.sed", 1, "C001"), ("training.seed", "x", "C002"), ("training.seed", -1, "C003"), ("nope.seed", 1, "C001"),
     ("training.race", 7, "C003"), ("data.validation", 0.9, "C003"), ("training.adapter", "both", "C003"), ("training", 3, "C001"),
     ("training.epochs", "1.5", "C002"), ("training.train_embeddings", "perhaps", "C002"), ("training.learning_rate", "nan", "C003")],
)  # fmt: skip
def test_wrong_settings(name: str, value: object, code: str) -> None:
    with pytest.raises(ConfigError, match=code):
        override(RunConfig(), {name: value})


def test_a_broken_file(tmp_path: Path) -> None:
    for content, code in (("training: [", "C004"), ("training:\n  sede: 1\n", "C001"), ("- 1\n", "C004")):
        (tmp_path / "c.yaml").write_text(content)
        with pytest.raises(ConfigError, match=code):
            load(tmp_path / "c.yaml")


def test_defaults_are_within_their_bounds() -> None:
    config = RunConfig()
    for name, value in flatten(config).items():
        if value is not None and name != "task_settings":
            override(config, {name: value})
