"""Who may ask: API keys, of which only SHA-256 hashes are kept, each with a role."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from honed.errors import ServeError

ROLES = ("predict", "admin")
FORM = re.compile(r"(predict|admin) (\S+) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Key:
    """One key that is known: its role, whose it is, and the hash of its text."""

    role: str
    owner: str
    digest: str


def digest_of(key: str) -> str:
    """SHA-256 of a key's text. Keys are long and random, so a plain hash cannot be guessed back."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(path: Path, owner: str, role: str) -> str:
    """Make a key, add its hash to a file that only its owner may read, and return the key: it is shown this once.

    Raises
    ------
    ServeError [H021]
        The role or the name is not usable, or the file is no file of keys.
    """
    if role not in ROLES or not re.fullmatch(r"[\w.@-]{1,64}", owner):
        raise ServeError(
            "H021", f'"{role}" and "{owner}" make no key.', "The role is predict or admin, the name one word."
        )
    lines = [] if not path.exists() else [f"{key.role} {key.owner} {key.digest}" for key in read_keys(path)]
    key = f"honed_{secrets.token_urlsafe(32)}"
    path.touch(mode=0o600)
    path.write_text("\n".join([*lines, f"{role} {owner} {digest_of(key)}"]) + "\n", encoding="utf-8")
    return key


def read_keys(path: Path | None) -> tuple[Key, ...]:
    """The keys of a file, or of the variable HONED_KEYS when no file is named; one a line: ``ROLE NAME SHA256``.

    Raises
    ------
    ServeError [H021]
        The file cannot be read, a line has another form, or it holds no key.
    """
    try:
        text = os.environ.get("HONED_KEYS", "") if path is None else path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ServeError("H021", f"The keys in {path} cannot be read.", "Make them with: honed key NAME.") from error
    if path is None and not text:
        return ()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [FORM.fullmatch(line) for line in lines]
    if not found or not all(found):
        number = next((i for i, one in enumerate(found, 1) if not one), 1)
        seen = f"Line {number} of {path or 'HONED_KEYS'} is no key."
        raise ServeError("H021", seen, "A line is ROLE NAME SHA256; make one with: honed key NAME.")
    return tuple(Key(*one.groups()) for one in found if one)


def known(keys: tuple[Key, ...], given: str) -> Key | None:
    """The key that was given, compared in constant time with all there are."""
    digest, found = digest_of(given), None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found
