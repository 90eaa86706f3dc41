"""The routes under /v1: texts whole or as server-sent events, and the models that write."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from honed.errors import HonedError, ServeError
from honed.serving.desk import AGAIN, Order
from honed.serving.http import body_of
from honed.serving.problems import told_to_openai
from honed.serving.routes import latin, service_of
from honed.serving.service import Service
from honed.serving.shelf import Served
from honed.serving.v1.asked import Reader, chat_asked, completion_asked
from honed.serving.v1.told import Told

GRACE_S = 10.0
"""How much longer than a text may take its client may be to read it."""


async def completions(request: Request) -> Response:
    """Texts continued."""
    return await _answer(request, completion_asked)


async def chat(request: Request) -> Response:
    """Chats answered."""
    return await _answer(request, chat_asked)


async def models(request: Request) -> Response:
    """The models that write."""
    shelf = service_of(request).shelf
    found = [_shown(shelf.find(name)) for name in shelf.versions if shelf.find(name).lane.writes]
    return JSONResponse({"object": "list", "data": found})


async def model(request: Request) -> Response:
    """One of them."""
    return JSONResponse(_shown(_writer(service_of(request), request.path_params["name"])))


def _shown(served: Served) -> dict[str, Any]:
    created = int(datetime.datetime.fromisoformat(served.manifest.created).timestamp())
    facts = {"id": served.name, "object": "model", "created": created, "owned_by": "honed"}
    return {**facts, "version": served.version, **(served.lane.writes or {})}


def _writer(service: Service, name: str | None) -> Served:
    """The model of a name, or NAME@VERSION. Raises ServeError [H003, H030]."""
    known = name is None or name in service.shelf.versions
    plain, _, version = (name, "", "") if known or name is None else name.rpartition("@")
    served = service.shelf.find(plain or name, version or None)
    if served.lane.writes is None:
        seen = f'The model "{served.name}" writes no text token by token.'
        raise ServeError("H030", seen, "Ask /models/NAME/predict; /v1/models lists those that write.")
    return served


async def _answer(request: Request, read: Reader) -> Response:
    service = service_of(request)
    asked = read(await body_of(request, service))
    served = _writer(service, asked.model)
    manner = served.lane.writes or {}
    if asked.chat and not manner["chat"]:
        seen = f'The model "{served.name}" came without a chat template.'
        raise ServeError("H007", seen, "Ask /v1/completions.", details={"param": "messages"})
    ident: str = request.state.request_id
    told = Told(asked, ident, served.name, served.version)
    order = served.lane.desk.order(asked.texts(manner), live=asked.stream)
    subject = request.headers.get("x-subject") or asked.user

    def done() -> None:
        service.record_texts(served, told.drafts, ident, subject[:256] if subject else None)

    headers = {"X-Model": latin(served.name), "X-Model-Version": served.version}
    if asked.stream:
        return await Events.begun(order, told, done, headers)
    try:
        async with _watched(request.receive, order):
            async for place, part in order.parts():
                if AGAIN in part:
                    told.restart()
                else:
                    told.take(place, part)
    finally:
        order.close()
    done()
    return JSONResponse(told.whole(), headers=headers)


@contextlib.asynccontextmanager
async def _watched(receive: Receive, order: Order) -> AsyncIterator[None]:
    """The order ends as soon as the client goes."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        order.leave()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


class Events(Response):
    """A stream of server-sent events; the first part is there before the answer begins, so that what is wrong has its status."""

    def __init__(self, order: Order, told: Told, done: Any, headers: dict[str, str]) -> None:
        super().__init__(None, 200, {**headers, "X-Accel-Buffering": "no"}, "text/event-stream")
        del self.headers["content-length"]
        self._order, self._told, self._done = order, told, done
        self._parts = order.parts()
        self._first: list[tuple[int, dict[str, Any]]] = []

    @classmethod
    async def begun(cls, order: Order, told: Told, done: Any, headers: dict[str, str]) -> Events:
        """With its first part. Raises what is wrong with the request."""
        self = cls(order, told, done, headers)
        try:
            while not self._first or AGAIN in self._first[-1][1]:
                self._first = [await anext(self._parts)]
        except BaseException:
            order.close()
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events as they come."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with _watched(receive, self._order), asyncio.timeout(self._order.left_s + GRACE_S):
                async for event in self._events():
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (ClientDisconnect, TimeoutError):
            return  # nobody reads, or so slowly that the connection is cut
        finally:
            self._order.close()

    async def _events(self) -> AsyncIterator[bytes]:
        told = self._told
        try:
            for place, part in self._first:
                yield _event(told.chunk(told.take(place, part)))
            async for place, part in self._parts:
                if AGAIN in part:
                    told.restart()
                elif choices := told.take(place, part):
                    yield _event(told.chunk(choices))
        except HonedError as error:
            yield _event({"error": told_to_openai(error)})
            return
        self._order.close()
        self._done()
        if told.asked.usage:
            yield _event(told.last())
        yield b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def routes() -> list[Route]:
    """All routes of this file."""
    post = ["POST"]
    return [
        Route("/v1/completions", completions, methods=post),
        Route("/v1/chat/completions", chat, methods=post),
        Route("/v1/models", models),
        Route("/v1/models/{name}", model),
    ]
