"""Deployments are what an administrator can install, and what they start is a command that exists."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from honed.errors import BundleError, ConfigError
from honed.model import Model
from honed.verbs.export import deploy
from tests.conftest import rows_of_sample


@pytest.fixture
def deployment(network_bundle: Path, tmp_path: Path) -> Path:
    return deploy(network_bundle, tmp_path / "deployment", port=8123, engine="onnx-fp32")


def test_a_deployment_holds_all_it_names(deployment: Path) -> None:
    name = Model.load(deployment / "model").name
    assert sorted(path.name for path in deployment.iterdir()) == sorted(
        [".dockerignore", "Dockerfile", "README.md", f"honed-{name}.service", "model", "packages"]
    )
    for path in deployment.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert "{{" not in text and "{%" not in text and text.endswith("\n")


def test_the_unit_is_hardened(deployment: Path) -> None:
    unit = next(deployment.glob("*.service")).read_text(encoding="utf-8")
    lines = unit.splitlines()
    for line in (
        "DynamicUser=yes", "ProtectSystem=strict", "ProtectHome=yes", "NoNewPrivileges=yes", "PrivateTmp=yes",
        "Restart=on-failure", "CapabilityBoundingSet=", "WantedBy=multi-user.target", "Environment=HF_HUB_OFFLINE=1",
    ):  # fmt: skip
        assert line in lines, line
    start = next(line for line in lines if line.startswith("ExecStart="))
    assert start.endswith("--host 127.0.0.1 --port 8123 --engine onnx-fp32") and " serve /opt/honed/" in start


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(deployment: Path, tmp_path: Path) -> None:
    """Only the program's path is replaced: it does not exist on this machine."""
    unit = next(deployment.glob("*.service"))
    text = unit.read_text(encoding="utf-8").replace("/opt/honed/venv/bin/honed", "/bin/true")
    copy = tmp_path / unit.name
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not said, said


def test_the_image_is_careful(deployment: Path) -> None:
    text = (deployment / "Dockerfile").read_text(encoding="utf-8")
    instructions = re.findall(r"^([A-Z]+) ", text, re.M)
    assert instructions[0] == "FROM" and instructions[-1] == "CMD"
    assert instructions.index("USER") < instructions.index("CMD") and "USER 10001" in text
    assert "/readyz" in text and "8123" in text and "HF_HUB_OFFLINE=1" in text
    after = text[text.index("USER 10001") :]
    assert "pip" not in after and "apt" not in after and "curl" not in after
    assert (deployment / ".dockerignore").read_text(encoding="utf-8").split() == ["*", "!model", "!packages"]


def test_deployments_are_checked(network_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="C003"):
        deploy(network_bundle, tmp_path / "out", port=70000)
    with pytest.raises(BundleError, match="B030"):
        deploy(network_bundle, tmp_path / "out", engine="fast; rm -rf /")
    broken = Path(shutil.copytree(network_bundle, tmp_path / "broken"))
    (broken / "problem.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="B004"):
        deploy(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_cannot_write_the_unit(network_bundle: Path, tmp_path: Path) -> None:
    model = dataclasses.replace(Model.load(network_bundle), name="x\nExecStartPre=/bin/sh ; $(id) {{ port }}")
    model.save(tmp_path / "model")
    unit = next(deploy(tmp_path / "model", tmp_path / "out").glob("*.service"))
    assert unit.name == "honed-x-execstartpre-bin-sh-id-port.service"
    assert "ExecStartPre=" not in unit.read_text(encoding="utf-8")


def _parsed(words: list[str]) -> dict[str, object]:
    """What the real command line makes of a command; fails on any flag or value that it does not take."""
    from honed.cli.main import app

    group = typer.main.get_command(app)
    assert words[0].rpartition("/")[2] == "honed"
    assert words[1] == "serve"
    command = group.commands["serve"]  # type: ignore[attr-defined]
    return dict(command.make_context("serve", words[2:]).params)


def test_what_is_started_is_a_command_that_exists(deployment: Path) -> None:
    """The unit's and the image's command lines go through the parser of ``honed serve``; the paths they name are made."""
    from honed.serving.routes import routes

    unit = next(deployment.glob("*.service")).read_text(encoding="utf-8")
    (line,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    image = (deployment / "Dockerfile").read_text(encoding="utf-8")
    (words,) = [json.loads(line.removeprefix("CMD ")) for line in image.splitlines() if line.startswith("CMD ")]
    started = {"unit": _parsed(shlex.split(line.removeprefix("ExecStart="))), "image": _parsed(words)}
    for found in started.values():
        assert found["port"] == 8123 and found["engine"] == "onnx-fp32"
    assert (started["unit"]["host"], started["image"]["host"]) == ("127.0.0.1", "0.0.0.0")
    assert started["image"]["bundles"] == [Path("/opt/honed/model")] or started["image"]["bundles"] == [
        "/opt/honed/model"
    ]
    assert "COPY --chown=root:root model/ /opt/honed/model/" in image
    asked = set(
        re.findall(r"127\.0\.0\.1:8123(/[a-z]+)", image + (deployment / "README.md").read_text(encoding="utf-8"))
    )
    assert asked == {"/readyz", "/predict"} <= {route.path for route in routes()}
    assert "engines.json" not in image, "an engine that was named needs no choice"
    with pytest.raises(Exception, match="no-such-flag"):
        _parsed(["honed", "serve", "model", "--no-such-flag"])


def test_a_deployment_that_chooses_carries_what_it_chooses_by(network_bundle: Path, tmp_path: Path) -> None:
    with_rows = deploy(network_bundle, tmp_path / "with", data=rows_of_sample(48))
    copied = "COPY --chown=root:root engines.json /opt/honed/engines.json"
    assert copied in (with_rows / "Dockerfile").read_text(encoding="utf-8")
    assert "!engines.json" in (with_rows / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "cp -r model engines.json /opt/honed/" in (with_rows / "README.md").read_text(encoding="utf-8")
    assert (with_rows / "engines.json").is_file()
