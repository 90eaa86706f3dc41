"""Where a model is: ``https://host/v1#model``, and the key for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from honed.errors import GenerationError

HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """An OpenAI-compatible address.

    Parameters
    ----------
    url : str
        Up to and with its version, such as ``https://host/v1``.
    model : str
    host : str
    """

    url: str
    model: str
    host: str

    @property
    def here(self) -> bool:
        """True on this machine, from which nothing leaves and which may need no key."""
        return self.host in HERE

    def key(self, variable: str) -> str:
        """The key from an environment variable; "" on this machine where there is none.

        Raises
        ------
        GenerationError [G033]
        """
        found = os.environ.get(variable, "").strip()
        if not found and not self.here:
            seen = f"There is no key for {self.host}: the environment variable {variable} is not set."
            raise GenerationError("G033", seen, "Set it, or name another with --set remote.key=NAME.")
        return found


def address_of(name: str) -> Address:
    """The parts of an address.

    Raises
    ------
    GenerationError [G032]
        No model is named, it holds a password, or it would send what is asked in the clear.
    """
    parts = urlsplit(name)
    host = parts.hostname or ""
    if not host or not parts.fragment or parts.username is not None or parts.query:
        seen = f'"{parts.scheme}://{host}{parts.path}" names no model.' if host else "The address names no host."
        raise GenerationError("G032", seen, "Write https://host/v1#model, the key in an environment variable.")
    if parts.scheme != "https" and host not in HERE:
        raise GenerationError(
            "G032", f"{host} would be asked without encryption.", "Write https:// in place of http://."
        )
    port = f":{parts.port}" if parts.port else ""
    shown = f"[{host}]" if ":" in host else host
    return Address(f"{parts.scheme}://{shown}{port}{parts.path.rstrip('/')}", parts.fragment, host)
