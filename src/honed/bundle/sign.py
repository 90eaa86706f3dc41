"""Ed25519 signatures over the manifest, which holds the digest of every file: who vouches for this model."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from honed.bundle.manifest import MANIFEST, SIGNATURE, read_manifest
from honed.bundle.open import check_files
from honed.errors import BundleError
from honed.files import read_json, write_json

TRUSTED = "HONED_TRUSTED_KEYS"
"""Environment variable that names a folder of public keys (*.pem) that are trusted."""


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found: the bundle's name, who signed (a fingerprint), and whether that key is a trusted one."""

    name: str
    fingerprint: str
    trusted: bool
    n_files: int


def new_key(path: Path) -> Path:
    """Make a private key (readable by its owner alone) and, beside it, the public key ``*.pub.pem``.

    Raises
    ------
    BundleError [S005]
        A key lies there already; it is never overwritten.
    """
    path = Path(path)
    if path.exists():
        raise BundleError(
            "S005", f"There is a key at {path} already.", "Choose another name; keys are never overwritten."
        )
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(private)
    public = path.with_suffix(".pub.pem")
    public.write_bytes(_public_pem(key.public_key()))
    return public


def sign(folder: Path, key_path: Path) -> Path:
    """Sign a bundle whose files are all as the manifest states; returns the signature file.

    Raises
    ------
    BundleError [S003, B001..B006]
        The key is no Ed25519 private key, or the bundle is not whole.
    """
    check_files(folder, read_manifest(folder))
    key = _private(key_path)
    signature = key.sign((folder / MANIFEST).read_bytes())
    facts = {
        "algorithm": "Ed25519",
        "public_key": _public_pem(key.public_key()).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    write_json(folder / SIGNATURE, facts)
    return folder / SIGNATURE


def verify(folder: Path, public_key: Path | None = None) -> Verification:
    """Check digests and signature; against a given public key, or the trusted ones.

    Raises
    ------
    BundleError [S001, S002, S003, S004]
        Not signed; the manifest was changed after signing; no key; signed by another key than the one given.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if not (folder / SIGNATURE).is_file():
        raise BundleError("S001", f"The bundle {folder} is not signed.", "Sign it with: honed sign BUNDLE --key KEY.")
    try:
        facts = read_json(folder / SIGNATURE)
        key = _loaded_public(facts["public_key"].encode())
        key.verify(base64.b64decode(facts["signature"]), (folder / MANIFEST).read_bytes())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError) as error:
        seen = f"The signature of {folder} does not fit its manifest: one of them was changed."
        raise BundleError("S002", seen, "Do not use this bundle; take a fresh copy.") from error
    if public_key is not None and _fingerprint(_public(public_key)) != _fingerprint(key):
        seen = f"The bundle was signed by the key {_fingerprint(key)}, not by the one in {public_key}."
        raise BundleError("S004", seen, "Ask who signed it before you use it.")
    return Verification(
        manifest.name, _fingerprint(key), public_key is not None or _is_trusted(key), len(manifest.files)
    )


def _is_trusted(key: Ed25519PublicKey) -> bool:
    folder = os.environ.get(TRUSTED)
    return bool(folder) and any(
        _fingerprint(_public(path)) == _fingerprint(key) for path in Path(str(folder)).glob("*.pem")
    )


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(
            "S003", f"{path} is no private key.", "Make one with: honed sign BUNDLE --new-key --key KEY."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError("S003", f"{path} is no Ed25519 key.", "Make one with: honed sign BUNDLE --new-key --key KEY.")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        return _loaded_public(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError("S003", f"{path} is no Ed25519 public key.", "Pass the .pub.pem file.") from error


def _loaded_public(pem: bytes) -> Ed25519PublicKey:
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not Ed25519")
    return key


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _fingerprint(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(_public_pem(key)).hexdigest()[:16]
