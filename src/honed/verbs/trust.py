"""``sign`` and ``verify``: who vouches for a bundle."""

from __future__ import annotations

from pathlib import Path

from honed.bundle import sign as signing
from honed.bundle.sign import Verification


def sign(bundle: str | Path, key: str | Path, *, new_key: bool = False) -> Path:
    """Sign a bundle's manifest with an Ed25519 private key; ``new_key`` makes the key first. Returns the signature."""
    if new_key:
        signing.new_key(Path(key))
    return signing.sign(Path(bundle), Path(key))


def verify(bundle: str | Path, key: str | Path | None = None) -> Verification:
    """Check every digest of a bundle and its signature against a public key (or the trusted keys)."""
    return signing.verify(Path(bundle), Path(key) if key else None)
