"""``promote`` and ``rollback``: which version of a model is current."""

from __future__ import annotations

from pathlib import Path

from honed.bundle import deployment
from honed.bundle.deployment import Switch
from honed.bundle.manifest import read_manifest

PLACE = "deployments"


def promote(bundle: str | Path, name: str | None = None, *, into: str | Path = PLACE, why: str = "") -> Switch:
    """Copy a bundle into a deployment and make it the current version.

    Parameters
    ----------
    bundle : path
    name : str
        Name of the deployment; the model's own name when left out.
    into : path
        Folder of the deployments. A server opens ``INTO/NAME/current``.
    why : str
        Kept in the history.

    Raises
    ------
    BundleError, RunError [R010, R011]
        No bundle, damaged; the disk is full or not writable. The current version stays.
    """
    folder = Path(bundle)
    return deployment.promote(folder, Path(into) / (name or read_manifest(folder).name), why)


def rollback(where: str | Path, *, to: str | None = None, why: str = "") -> Switch:
    """Make an earlier version of a deployment current again; it is verified first.

    Parameters
    ----------
    where : path
        The deployment, such as ``deployments/tickets``.
    to : str
        Version, or the beginning of it; the one before the present one when left out.

    Raises
    ------
    MonitorError [M011, M012, M013], BundleError
    """
    return deployment.rollback(Path(where), to, why)
