"""The rules of the house, checked on the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from honed.codes import catalogue

SOURCE = Path(__file__).resolve().parents[2] / "src" / "honed"
LAYERS = (
    ("errors", "wording", "finding", "progress", "files", "codes", "config", "resources", "threads"),
    ("data", "scenes"),
    ("metrics", "checks", "media"),
    ("tasks", "networks", "zoo", "generation", "hosted", "likelihood"),
    ("model", "prediction", "bundle"),
    ("engines", "exporting", "shots"),
    ("training", "evaluation"),
    ("pretraining",),
    ("monitoring",),
    ("report",),
    ("web", "serving"),
    ("verbs",),
    ("cli", "testing"),
)
"""A package imports from its own layer and from those above it in this list, never from below."""
EXCEPTIONS = {
    ("model", "verbs"), ("tasks", "testing"), ("testing", "training"), ("bundle", "verbs"),
    ("model", "engines"),
}  # fmt: skip
"""Imports inside functions that go the other way for one stated reason."""


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """(package of honed, whether the import stands at the top) of every import in a module, type checking left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checking = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.unparse(branch.test)
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("honed.")
            and id(node) not in checking
        ):
            yield node.module.split(".")[1], node in tree.body


def layer(package: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if package in names)


def test_imports_go_one_way() -> None:
    wrong = []
    for path in modules():
        package = package_of(path)
        if package in ("__init__", "__main__"):
            continue
        for imported, at_top in imports_of(path):
            allowed = layer(imported) <= layer(package) or (not at_top and (package, imported) in EXCEPTIONS)
            if not allowed:
                wrong.append(f"{path.relative_to(SOURCE)} imports honed.{imported}")
    assert not wrong, wrong


def test_imports_run_in_no_circle() -> None:
    """Imports inside functions and for types alone count too; only a model, which opens and saves itself, is let off those."""
    known = {".".join(("honed", *path.relative_to(SOURCE).with_suffix("").parts)) for path in modules()}
    graph: dict[str, set[str]] = {}
    for path in modules():
        name = ".".join(("honed", *path.relative_to(SOURCE).with_suffix("").parts))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = tree.body if name == "honed.model" else ast.walk(tree)
        graph[name] = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module in known}
    assert len(graph) > 500 and sum(map(len, graph.values())) > 1000
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_task_is_named_outside_tasks() -> None:
    """What differs between tasks lies behind the contract."""
    pattern = re.compile(r"""(task|\.name)\s*(==|!=|in)\s*[("']""")
    places = [path for path in modules() if package_of(path) not in ("tasks", "testing", "cli")]
    found = [
        f"{path.name}: {line.strip()}"
        for path in places
        for line in path.read_text().splitlines()
        if pattern.search(line)
    ]
    found = [line for line in found if "task.name" in line or "task ==" in line]
    assert not found


@pytest.mark.parametrize(
    "forbidden",
    [r"\bpickle\.loads?\(", r"torch\.load\((?!.*weights_only=True)", r"trust_remote_code\s*=\s*True", r"\beval\(", r"\bexec\(",
     r"joblib\.load", r"allow_pickle\s*=\s*True", r"shell\s*=\s*True"],
)  # fmt: skip
def test_nothing_that_runs_foreign_code(forbidden: str) -> None:
    pattern = re.compile(forbidden)
    found = []
    for path in modules():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line) and "network.eval(" not in line and ".eval()" not in line:
                found.append(f"{path.relative_to(SOURCE)}:{number}: {line.strip()}")
    assert not found


def test_codes_are_those_of_the_catalogue() -> None:
    """Every code in the source is explained, and every explained code is used."""
    used = set()
    for path in modules():
        used |= set(re.findall(r'"([BCDEGHMRSZ]\d{3})"', path.read_text(encoding="utf-8")))
    assert used - set(catalogue()) == set()
    assert set(catalogue()) - used == set()


def test_modules_are_small_and_say_what_they_do() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, f"{path} has grown too long"
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{path} does not say what it does"


def test_public_functions_have_docstrings() -> None:
    import honed

    for name in honed.__all__:
        assert getattr(honed, name).__doc__, name


def test_import_is_light() -> None:
    """``import honed`` and ``honed --help`` load neither torch nor pandas."""
    import subprocess
    import sys

    for statement in ("import honed", "import honed.cli.main"):
        code = f"{statement}; import sys; print([m for m in ('torch', 'transformers', 'pandas', 'sklearn', 'pyarrow') if m in sys.modules])"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == "[]"
