"""What a browser sees: the page, its files, reports and cards of what is served."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from honed.errors import ServeError
from honed.serving.openapi import described
from honed.serving.routes import model_of, service_of

KINDS = {
    "page.css": "text/css", "objects.css": "text/css", "page.js": "text/javascript", "objects.js": "text/javascript",
    "masks.js": "text/javascript", "docs.js": "text/javascript", "chat.css": "text/css", "chat.js": "text/javascript",
}  # fmt: skip
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


@cache
def _text(name: str) -> str:
    return resources.files("honed.web").joinpath(name).read_text(encoding="utf-8")


async def page(request: Request) -> Response:
    """The page to try a model."""
    return HTMLResponse(_text("page.html"))


async def docs(request: Request) -> Response:
    """The API, told to people."""
    return HTMLResponse(_text("docs.html"))


async def static(request: Request) -> Response:
    """A file of the page."""
    name = request.path_params["file"]
    if name not in KINDS:
        raise ServeError("H001", f"There is no file {name[:80]}.", "The page is at /.")
    return Response(_text(name), media_type=KINDS[name])


async def report(request: Request) -> Response:
    """The report of a model's evaluation, as the bundle holds it; nothing in it may run."""
    place = model_of(request).folder / "report.html"
    if not place.is_file():
        raise ServeError("H026", "The bundle holds no report.", "A model packaged by finetune has one.")
    text = await asyncio.to_thread(place.read_text, encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


async def report_json(request: Request) -> Response:
    """The same report for programs."""
    place = model_of(request).folder / "report.json"
    if not place.is_file():
        raise ServeError("H026", "The bundle holds no report.", "A model packaged by finetune has one.")
    return Response(await asyncio.to_thread(place.read_bytes), media_type="application/json")


async def card(request: Request) -> Response:
    """The model card, as Markdown."""
    place = model_of(request).folder / "README.md"
    if not place.is_file():
        raise ServeError("H026", "The bundle holds no model card.", "A model packaged by finetune has one.")
    return PlainTextResponse(await asyncio.to_thread(place.read_text, encoding="utf-8"))


async def monitor(request: Request) -> Response:
    """State, alerts and figures of the newest windows of production."""
    service = service_of(request)
    served = service.shelf.find(request.query_params.get("model"))
    if not hasattr(service.log, "target"):
        told: dict[str, Any] = {
            "state": "no data",
            "headline": "No monitoring data yet: the server keeps no log. Start it with --log FILE.",
        }
        return JSONResponse(told)
    from honed.monitoring import summary

    return JSONResponse(_plain(await asyncio.to_thread(summary, service.log, served.folder)))


def _plain(value: Any) -> Any:
    """Numbers that are none become null: JSON has no others."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value


async def addresses(request: Request) -> Response:
    """Every address with one sentence, for the page /docs."""
    paths = described(service_of(request))["paths"]
    found = [
        {"method": method.upper(), "path": path, "summary": about["summary"]}
        for path, methods in paths.items()
        for method, about in methods.items()
    ]
    return JSONResponse({"addresses": found})


def routes() -> list[Route]:
    """All routes of this file."""
    found = [
        Route("/", page), Route("/docs", docs), Route("/static/{file}", static), Route("/api/monitor", monitor),
        Route("/api/addresses", addresses),
    ]  # fmt: skip
    for place in ("/models/{name}", "/models/{name}/versions/{version}"):
        found += [
            Route(f"{place}/report", report), Route(f"{place}/report.json", report_json), Route(f"{place}/card", card),
        ]  # fmt: skip
    return found
