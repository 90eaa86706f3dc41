"""What happens to every request: an id, a key, a bounded body, one shape of error, and headers that keep a browser safe."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import traceback
import uuid
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from honed.errors import HonedError, ServeError
from honed.serving.attached import FORM, attached
from honed.serving.check import parsed
from honed.serving.keys import Key, known
from honed.serving.problems import problem_response, unexpected

if TYPE_CHECKING:
    from honed.serving.service import Service

DISCARDED = 8
"""A body that is too large is read, and thrown away, up to this many times the limit, so that its sender can read why."""
REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
COOKIE = "honed_key"
OPEN = ("/", "/docs", "/healthz", "/readyz", "/session", "/v2/health/live", "/v2/health/ready")
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Edge:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begin, status, started = time.perf_counter(), 500, False

        async def sending(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
                if status in (408, 413):
                    headers["Connection"] = "close"
            await send(message)

        try:
            self._let_in(request)
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            status = 499
        except HonedError as error:
            if not started:
                await problem_response(error, request.url.path)(scope, receive, sending)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not started:
                await problem_response(unexpected(request_id), request.url.path)(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._service.metrics.requests.labels(route, str(status)).inc()
            self._service.metrics.seconds.labels(route).observe(time.perf_counter() - begin)

    def _let_in(self, request: Request) -> None:
        """Raises ServeError [H011, H012] when the key is missing, unknown, or not enough."""
        path, keys = request.url.path, self._service.keys
        admin = path.startswith("/admin/")
        if not keys:
            if admin:
                seen = "The server has no keys, so nobody may change what it serves over HTTP."
                raise ServeError("H012", seen, "Start it with --keys, or send it SIGHUP.")
            return
        if path in OPEN or path.startswith("/static/"):
            return
        key = known(keys, given_key(request, cookies=not admin))
        if key is None:
            raise ServeError("H011", "The key is missing or unknown.", "Send the header Authorization: Bearer KEY.")
        if admin and key.role != "admin":
            raise ServeError(
                "H012", f"The key of {key.owner} may ask for predictions only.", "Use a key with the role admin."
            )


def given_key(request: Request, *, cookies: bool) -> str:
    """The key of a request: Authorization, X-API-Key, or the page's cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key") or (request.cookies.get(COOKIE, "") if cookies else "")


def owner_of(keys: tuple[Key, ...], text: str) -> Key | None:
    """The key that a text is."""
    return known(keys, text)


async def body_of(request: Request, service: Service) -> Any:
    """The JSON value of a request's body, or the files it is (:class:`Attached`).

    Raises
    ------
    ServeError [H004, H005, H006, H013, H018]
    """
    limits = service.settings.limits
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    as_json = kind == "application/json"
    if not as_json and not kind.startswith("image/") and kind not in (FORM, "application/octet-stream"):
        raise ServeError("H018", "The body is not said to be JSON.", "Send the header Content-Type: application/json.")
    most = int(limits.body_mib * 2**20)
    told = request.headers.get("content-length", "")
    parts: list[bytes] = []
    n, large = 0, told.isdigit() and int(told) > most
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in request.stream():
                n += len(part)
                large = large or n > most
                if n > most * DISCARDED:
                    break
                if not large:
                    parts.append(part)
    except TimeoutError:
        if not large:
            seen = f"The body did not arrive within {limits.body_s:g} s."
            raise ServeError("H013", seen, "Send it faster, or in smaller parts.") from None
    if large:
        raise _too_large(limits.body_mib)
    body = b"".join(parts)
    return parsed(body) if as_json else attached(kind, request.headers["content-type"], body)


def _too_large(most_mib: float) -> ServeError:
    return ServeError("H006", f"The body is larger than {most_mib:g} MiB.", "Send fewer rows at a time.")
