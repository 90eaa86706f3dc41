"""``honed monitor``, ``promote`` and ``rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from honed.cli import edge, flags

if TYPE_CHECKING:
    from honed.monitoring.results import Monitoring

ALERT_EXIT = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("monitor")(monitor)
    app.command("promote")(promote)
    app.command("rollback")(rollback)


def monitor(
    bundle: flags.Bundle,
    log: Annotated[str | None, typer.Option(help="Log: file or postgresql:// address; default: log.sqlite beside the bundle.")] = None,
    data: Annotated[str | None, typer.Option(help="Look at the rows of this file; with truths if it has the target.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the file that says when a row happened.")] = None,
    window: Annotated[str | None, typer.Option(help="1000rows (the default), 1d or 12h.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the result as a page.")] = None,
    webhook: Annotated[str | None, typer.Option(help="POST alerts as JSON to this address; no text of any row is sent.")] = None,
    fail_on: Annotated[str | None, typer.Option(help="alert: end with exit code 3 when there is one.")] = None,
    export_labelled: Annotated[Path | None, typer.Option(help="Write rows whose truth is known here, to train on; then stop.")] = None,
    erase_subject: Annotated[str | None, typer.Option(help="Erase all rows of this person from the log; then stop.")] = None,
    erase_request: Annotated[str | None, typer.Option(help="Erase all rows of this request from the log; then stop.")] = None,
    acknowledge: Annotated[str | None, typer.Option(help="The alerts so far are dealt with; say how. Then stop.")] = None,
    as_json: flags.Json = False,
) -> None:  # fmt: skip
    """Say whether the rows and answers in production are still like those the model was made with."""
    from honed.errors import ConfigError
    from honed.monitoring.notify import check_address
    from honed.verbs.monitor import monitor as watch

    if fail_on not in (None, "alert"):
        raise ConfigError("C003", f'--fail-on is "{fail_on}".', "It may be alert.")
    if webhook:
        check_address(webhook)
    if data is not None and log is not None:
        raise ConfigError("C012", "Pass either --log or --data.", "For example: honed monitor BUNDLE --data new.csv.")
    if export_labelled or erase_subject or erase_request or acknowledge:
        _upkeep(bundle, log, export_labelled, erase_subject, erase_request, acknowledge)
        return
    found = watch(bundle, data, log=log, window=window, time_column=time, progress=edge.bars())
    _tell(found, html, as_json)
    if webhook and found.state == "alert":
        _call(webhook, found)
    if fail_on == "alert" and found.state == "alert":
        raise typer.Exit(ALERT_EXIT)


def _tell(found: Monitoring, html: Path | None, as_json: bool) -> None:
    if html:
        from honed.files import whole_file
        from honed.report.monitoring import monitoring_page

        with whole_file(html) as temporary:
            temporary.write_text(monitoring_page(found), encoding="utf-8")
    if as_json:
        edge.print_json(found.as_dict())
        return
    from honed.report.monitoring import print_monitoring

    print_monitoring(edge.out(), found)


def _call(webhook: str, found: Monitoring) -> None:
    from honed.monitoring.notify import post

    reason = post(webhook, found)
    told = f"The webhook did not take the alert: {reason}." if reason else "The webhook took the alert."
    edge.err().print(told, markup=False, soft_wrap=True)


def _upkeep(
    bundle: str, log: str | None, path: Path | None, subject: str | None, request: str | None, why: str | None
) -> None:
    from honed.monitoring import upkeep
    from honed.monitoring.reference import watch
    from honed.verbs.monitor import default_log
    from honed.wording import counted

    target: Any = log or default_log(Path(bundle))
    if subject is not None or request is not None:
        erased = upkeep.erase(target, subject=subject, request=request if subject is None else None)
        print(f"Erased {counted(erased.rows, 'row')} and {counted(erased.labels, 'label')}.")
    if path is not None:
        print(f"{counted(upkeep.export_labelled(target, watch(bundle), path), 'labelled row')} written to {path}.")
    if why is not None:
        upkeep.acknowledge(target, watch(bundle), why)
        print("Acknowledged: alerts until now are history.")


def promote(
    bundle: flags.Bundle,
    name: Annotated[
        str | None, typer.Option("--as", help="Name of the deployment; the model's own when left out.")
    ] = None,
    into: Annotated[Path, typer.Option(help="Folder of the deployments.")] = Path("deployments"),
    why: Annotated[str, typer.Option(help="Reason, kept in the history.")] = "",
) -> None:
    """Copy a packaged model into a deployment and make it the current version."""
    from honed.verbs.deploy import promote as promoted

    switch = promoted(bundle, name, into=into, why=why)
    before = f" (before: {switch.before})" if switch.before else ""
    print(f"Version {switch.version} is current{before}. Verdict of its evaluation: {switch.verdict}.")


def rollback(
    deployment: Annotated[str, typer.Argument(help="Folder of a deployment, such as deployments/NAME.")],
    to: Annotated[
        str | None, typer.Option(help="Version to go to; the one before the present one when left out.")
    ] = None,
    why: Annotated[str, typer.Option(help="Reason, kept in the history.")] = "",
) -> None:
    """Make an earlier version of a model current again; it is verified before the switch."""
    from honed.verbs.deploy import rollback as rolled_back

    switch = rolled_back(deployment, to=to, why=why)
    print(
        f"Version {switch.version} is current again, instead of {switch.before}. A running server takes it at its next reload."
    )
