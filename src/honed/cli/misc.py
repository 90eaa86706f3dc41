"""``honed models``, ``explain``, ``eject``, ``sign`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from honed.cli import edge, flags


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("models")(models)
    app.command("explain")(explain)
    app.command("eject")(eject)
    app.command("sign")(sign)
    app.command("verify")(verify)


def models(task: Annotated[str | None, typer.Option(help="Only those for this task.")] = None) -> None:
    """List the pre-trained models to start from, with licence and size."""
    from honed.report.terminal import print_models
    from honed.verbs.models import models as listed

    print_models(edge.out(), listed(task))


def explain(
    code: Annotated[str | None, typer.Argument(help="A code such as D021; all are listed when left out.")] = None,
) -> None:
    """Say what the code of a finding or an error means and what to do."""
    from honed.codes import catalogue
    from honed.verbs.explain import explain as explained

    if code is None:
        for entry in catalogue().values():
            print(f"{entry.code}  {entry.title}")
        return
    entry = explained(code)
    console = edge.out()
    console.print(f"{entry.code}: {entry.title}", style="bold", markup=False)
    console.print(entry.meaning, markup=False)
    console.print(f"What to do: {entry.remedy}", markup=False)


def eject(
    run: Annotated[str, typer.Argument(help="Folder of a run, such as runs/NAME.")],
    out: Annotated[Path | None, typer.Option(help="Script to write; RUN/train.py when left out.")] = None,
) -> None:
    """Write one readable training script that repeats the fine-tuning of a run."""
    from honed.verbs.eject import eject as ejected

    print(ejected(run, out))


def sign(
    bundle: flags.Bundle,
    key: Annotated[Path, typer.Option(help="Ed25519 private key (PEM).")],
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make the key first; the public half is written beside it.")
    ] = False,
) -> None:
    """Sign a packaged model."""
    from honed.verbs.trust import sign as signed

    print(f"Signed: {signed(bundle, key, new_key=new_key)}")


def verify(
    bundle: flags.Bundle, key: Annotated[Path | None, typer.Option(help="Public key of who should have signed.")] = None
) -> None:
    """Check the digests of a packaged model and its signature."""
    from honed.verbs.trust import verify as verified

    found = verified(bundle, key)
    who = (
        "a key you trust" if found.trusted else "a key nobody told you to trust: compare its fingerprint, or pass --key"
    )
    print(f"{found.n_files} files are as they were signed, by {found.fingerprint} ({who}).")
