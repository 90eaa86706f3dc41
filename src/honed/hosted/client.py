"""Asking an OpenAI-compatible address: waits, tries again, and says in one sentence what is wrong."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from honed.errors import GenerationError
from honed.hosted.address import Address

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
MOST_TOLD = 200


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key goes nowhere but where the user said."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    """Sends requests, each with its own connection; safe from several threads.

    Parameters
    ----------
    address : Address
    key : str
    timeout_s : float
    tries : int
    """

    def __init__(self, address: Address, key: str, *, timeout_s: float = 60.0, tries: int = 5) -> None:
        self.address, self._key, self.timeout_s, self.tries = address, key, timeout_s, tries
        proxies = urllib.request.ProxyHandler({}) if address.here else urllib.request.ProxyHandler()
        self._opener = urllib.request.build_opener(_NoRedirects, proxies)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON that is answered.

        Raises
        ------
        GenerationError [G033, G034, G035, G036, G037]
            The key or the request is refused; no such model; too many requests; not reached; an answer that is none.
        """
        raw = json.dumps(body).encode()
        for number in range(self.tries):
            last = number + 1 == self.tries
            try:
                return self._sent(path, raw)
            except urllib.error.HTTPError as error:
                told = self._told(error)
                if error.code not in AGAIN or last:
                    raise self._refused(error.code, told) from None
                wait = error.headers.get("Retry-After", "")
            except (OSError, HTTPException) as error:
                if last:
                    raise self._unreached(error) from None
                wait = ""
            time.sleep(_wait_s(wait, number))
        raise AssertionError("unreachable")

    def _sent(self, path: str, raw: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self.address.url}/{path}", data=raw, headers=headers, method="POST")
        with self._opener.open(request, timeout=self.timeout_s) as response:
            content = response.read()
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            seen = f"{self.address.host} answered something that is no JSON object."
            raise GenerationError("G037", seen, "Check the address: it should end in its version, such as /v1.")
        return found

    def _told(self, error: urllib.error.HTTPError) -> str:
        """What the address says of its refusal, short, and never the key."""
        try:
            content = error.read(20_000).decode("utf-8", "replace")
        except OSError:
            return ""
        try:
            found = json.loads(content)
            inner = found.get("error", found)
            text = str(inner.get("message", inner)) if isinstance(inner, dict) else str(inner)
        except (ValueError, AttributeError):
            text = content
        text = " ".join(text.split())
        return (text.replace(self._key, "***") if self._key else text)[:MOST_TOLD]

    def _refused(self, status: int, told: str) -> GenerationError:
        host, model = self.address.host, self.address.model
        why = f' It says: "{told}".' if told else ""
        facts = {"status": status, "told": told}
        if status in (401, 403):
            seen = f"{host} refuses the key ({status}).{why}"
            return GenerationError("G033", seen, "Check the environment variable that holds it.", details=facts)
        if status == 404:
            seen = f'{host} knows no model "{model}", or the address is not right (404).{why}'
            return GenerationError("G034", seen, "Check both: https://host/v1#model.", details=facts)
        if status == 429:
            seen = f"{host} still says after {self.tries} tries that there are too many requests (429).{why}"
            return GenerationError("G035", seen, "Wait, or lower --set remote.at_once=1.", details=facts)
        if status in AGAIN:
            return GenerationError("G036", f"{host} fails ({status}).{why}", "Try again later.", details=facts)
        remedy = "See what it says, and check model and settings."
        return GenerationError("G037", f"{host} refuses the request ({status}).{why}", remedy, details=facts)

    def _unreached(self, error: Exception) -> GenerationError:
        reason = getattr(error, "reason", error)
        seen = f"{self.address.host} cannot be reached: {str(reason) or type(error).__name__}."
        return GenerationError("G036", seen, "Check the address and the network; what was answered is kept.")


def _wait_s(asked: str, number: int) -> float:
    """Seconds to wait: as the address asks, else longer each time and a little by lot."""
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(asked)))
    except ValueError:
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**number) * random.uniform(0.5, 1.0)
