"""Telling others about an alert: one POST of JSON, only to the address that was given, and never any text of a row."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from honed.errors import MonitorError
from honed.monitoring.results import Monitoring

TIMEOUT_S, TRIES, PAUSE_S = 5.0, 3, 0.5


class _Stay(urllib.request.HTTPRedirectHandler):
    """A webhook goes where it was sent and nowhere else."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


def payload(result: Monitoring) -> dict[str, Any]:
    """What is told: state, alerts and figures; no examples."""
    kept = ("model", "version", "made", "state", "headline", "n_rows", "n_labelled", "window", "advice")
    whole = result.as_dict()
    found = {name: whole[name] for name in kept}
    found["text"] = f"Honed, {result.model}: {result.headline}"
    found["alerts"] = whole["alerts"]
    found["expected"], found["real"] = whole["expected"], whole["real"]
    return found


def check_address(url: str) -> None:
    """Raises MonitorError [M010] for what is no http(s) address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise MonitorError("M010", f'"{url}" is no address for a webhook.', "Write https://host/path.")


def post(url: str, result: Monitoring) -> str:
    """POST the alert; "" when it was taken, else why not in a few words. Never raises for the network."""
    check_address(url)
    body = json.dumps(payload(result), ensure_ascii=False).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "User-Agent": "honed"})
    opener, reason = urllib.request.build_opener(_Stay), ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * attempt)
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                if 200 <= answer.status < 300:
                    return ""
                reason = f"the address answered {answer.status}"
        except urllib.error.HTTPError as error:
            reason = f"the address answered {error.code}"
            if error.code < 500:
                return reason
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
    return reason
