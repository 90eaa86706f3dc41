"""A deployment: versions of a model side by side in one folder, one of them current, switched in one step.

``deployments/NAME/versions/VERSION`` are whole bundles that are never changed, ``deployments/NAME/current`` is a link
to one of them, ``deployments/NAME/history.json`` says who switched when and why. A server opens ``current``.
"""

from __future__ import annotations

import datetime
import getpass
import hashlib
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from honed.bundle.manifest import MANIFEST, read_manifest
from honed.bundle.open import check_files
from honed.errors import MonitorError
from honed.files import read_json, tell_os_error, whole_folder, write_json

CURRENT, VERSIONS, HISTORY = "current", "versions", "history.json"


@dataclass(frozen=True)
class Switch:
    """One change of the current version."""

    at: str
    who: str
    why: str
    action: str
    version: str
    before: str
    verdict: str


def version_of(folder: Path) -> str:
    """The version of a bundle: the first 12 digits of its manifest's SHA-256."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest()[:12]


def history(deployment: Path) -> list[Switch]:
    """All switches, oldest first.

    Raises
    ------
    MonitorError [M011]
        The folder is no deployment.
    """
    try:
        return [Switch(**fields) for fields in read_json(deployment / HISTORY)]
    except (OSError, ValueError, TypeError) as error:
        seen = f"{deployment} is no deployment."
        raise MonitorError("M011", seen, "Make one with: honed promote BUNDLE --as NAME.") from error


def current_version(deployment: Path) -> str:
    """The version that is current, "" when there is none."""
    link = deployment / CURRENT
    return link.readlink().name if link.is_symlink() else ""


def promote(bundle: Path, deployment: Path, why: str = "") -> Switch:
    """Copy a bundle into a deployment, digests verified before and after, and make it current."""
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    version = version_of(bundle)
    place = deployment / VERSIONS / version
    if not place.is_dir():
        with whole_folder(place) as temporary:
            shutil.copytree(bundle, temporary, dirs_exist_ok=True)
    check_files(place, read_manifest(place))
    return _switch(deployment, version, "promote", why)


def rollback(deployment: Path, to: str | None = None, why: str = "") -> Switch:
    """Make an earlier version current: the one before the present one, or the one named; its digests are verified first.

    Raises
    ------
    MonitorError [M011, M012, M013], BundleError [B002, B004, B005]
        No deployment, no earlier version, no such version; or the earlier one is damaged, and nothing was switched.
    """
    deployment = deployment.parent if deployment.name == CURRENT and deployment.is_symlink() else deployment
    switches, present = history(deployment), current_version(deployment)
    version = _named(deployment, to) if to else _before(switches, present, deployment)
    place = deployment / VERSIONS / version
    check_files(place, read_manifest(place))
    return _switch(deployment, version, "rollback", why)


def _before(switches: list[Switch], present: str, deployment: Path) -> str:
    """The version that was current before the present one came by a promotion; several rollbacks go further back."""
    order: list[str] = []
    for switch in switches:
        if switch.action == "promote":
            order = [version for version in order if version != switch.version] + [switch.version]
    place = order.index(present) if present in order else len(order)
    there = [version for version in order[:place] if (deployment / VERSIONS / version).is_dir()]
    if not there:
        raise MonitorError(
            "M012",
            f"{deployment} has no version before {present or 'the present one'}.",
            "Promote another bundle, or name one with --to.",
        )
    return there[-1]


def _named(deployment: Path, to: str) -> str:
    known = sorted(
        path.name for path in (deployment / VERSIONS).iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    found = [version for version in known if version.startswith(to)]
    if len(found) != 1:
        seen = f'{deployment} has {"no" if not found else "more than one"} version "{to}"; it has {", ".join(known)}.'
        raise MonitorError("M013", seen, "Name one of them with --to.")
    return found[0]


def _switch(deployment: Path, version: str, action: str, why: str) -> Switch:
    before = current_version(deployment)
    switches = history(deployment) if (deployment / HISTORY).exists() else []
    verdict = read_manifest(deployment / VERSIONS / version).verdict
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    switch = Switch(now, _who(), why, action, version, before, verdict)
    temporary = deployment / f".{CURRENT}.{os.getpid()}"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path(VERSIONS) / version, target_is_directory=True)
        temporary.replace(deployment / CURRENT)
    except OSError as error:
        raise tell_os_error(error, deployment) from error
    write_json(deployment / HISTORY, [asdict(one) for one in (*switches, switch)])
    return switch


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
