"""What all commands share: consoles, errors as sentences, settings from flags."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from honed.errors import ConfigError, HonedError

STOPPED = 130


def out() -> Any:
    """The console for results."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 100)


def err() -> Any:
    """The console for progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def bars() -> Any:
    """Progress bars on standard error."""
    from honed.cli.bars import Bars

    return Bars(err())


def print_json(value: Any) -> None:
    """A result as JSON on standard output; numbers that are none become null."""
    print(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def settings_of(pairs: list[str]) -> dict[str, Any]:
    """``--set name=value`` flags as a dictionary.

    Raises
    ------
    ConfigError [C012]
        A flag has no "=".
    """
    found = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark:
            raise ConfigError(
                "C012", f'"--set {pair}" has no "=".', "Write --set name=value, for example --set training.seed=1."
            )
        found[name.strip()] = value.strip()
    return found


def costs_of(pairs: list[str]) -> dict[str, float]:
    """``--cost label=5`` flags as a dictionary. Raises ConfigError [C012]."""
    try:
        return {label: float(cost) for label, _, cost in (pair.rpartition("=") for pair in pairs) if label or int("x")}
    except ValueError:
        raise ConfigError(
            "C012", f"--cost takes label=number, not {' '.join(pairs)}.", "For example --cost spam=5."
        ) from None


def tell_stopped(console: Any, verb: str, out: Path, resume: Path | None, begin: float, usable: str) -> None:
    """How to go on, where the run had begun; nothing about older runs. ``usable`` lies in it where there is a model."""
    begun = [path for path in out.glob("*/state.json") if path.stat().st_mtime >= begin] if out.is_dir() else []
    folder = resume or (max(begun, key=lambda path: path.stat().st_mtime).parent if begun else None)
    if folder is not None:
        there = "\nA usable model lies there already." if (folder / usable).exists() else ""
        console.print(f"\nGo on with: honed {verb} --resume {folder}{there}", markup=False, soft_wrap=True)


def run_safely(app: Any) -> int:
    """Run the application; every way it can end as an exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    import typer

    usage_error = typer.BadParameter.__mro__[2]  # ClickException: typer carries its own copy of click

    try:
        code = app(standalone_mode=False)
        if code == STOPPED:  # what typer makes of Ctrl-C
            print("Stopped.", file=sys.stderr)
        return code if isinstance(code, int) else 0
    except HonedError as error:
        from honed.report.terminal import print_error

        print_error(err(), error)
        return error.exit_code
    except typer.Exit as stop:
        return int(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not isinstance(error, usage_error):
            raise
        print(ConfigError("C012", error.format_message(), "See --help."), file=sys.stderr)  # type: ignore[attr-defined]
        return 2
