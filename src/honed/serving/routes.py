"""The routes of Honed's own protocol: predictions, labels, states, models, reload."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from honed.errors import ServeError
from honed.serving.annotated import annotated, check_drawable, kind_asked
from honed.serving.attached import Attached, rows_with
from honed.serving.check import rows_of
from honed.serving.http import COOKIE, body_of, owner_of
from honed.serving.service import Service
from honed.serving.shelf import Served


def service_of(request: Request) -> Service:
    """The service behind a request."""
    found: Service = request.app.state.service
    return found


def model_of(request: Request) -> Served:
    """The model and version that the address names. Raises ServeError [H003]."""
    parts = request.path_params
    return service_of(request).shelf.find(parts.get("name"), parts.get("version"))


def rows_model_of(request: Request) -> Served:
    """The same, for requests with rows. Raises ServeError [H003, H031]."""
    served = model_of(request)
    if not served.reads_rows:
        seen = f'The model "{served.name}" continues texts; it was not fine-tuned to answer rows.'
        raise ServeError("H031", seen, "Ask /v1/completions, or /v1/chat/completions if it came with a chat template.")
    return served


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The input schema as it is enforced: no other fields."""
    return {**schema, "additionalProperties": False}


async def predict(request: Request) -> Response:
    """One input or a list of them; the answer has the same form, or is the picture with what was found on it."""
    service = service_of(request)
    value = await body_of(request, service)
    # after the wait for the body: nothing comes between finding a version and its queue
    served = rows_model_of(request)
    if isinstance(value, Attached):
        value = rows_with(value, served.input_schema)
        value = value[0] if len(value) == 1 else value
    rows, single = rows_of(value, served.input_schema, service.settings.limits.rows)
    picture = kind_asked(request.headers.get("accept", ""), request.query_params.get("annotated", ""))
    if picture:
        check_drawable(served.output_schema, served.input_schema, len(rows))
    subject = request.headers.get("x-subject")
    found = await service.answer(served, rows, request.state.request_id, subject[:256] if subject else None)
    shown, headers = served.shown(found), {"X-Model": latin(served.name), "X-Model-Version": served.version}
    if picture:
        async with service.drawing:
            objects = shown[0]["prediction"]
            body = await asyncio.to_thread(annotated, rows[0], served.input_schema, objects, served.labels, picture)
        return Response(body, media_type=picture, headers=headers)
    return JSONResponse(shown[0] if single else shown, headers=headers)


def latin(text: str) -> str:
    """Text that a header can hold."""
    return text.encode("ascii", "replace").decode()


async def labels(request: Request) -> Response:
    """The truth of an answer that was given."""
    service = service_of(request)
    value = await body_of(request, service)
    schema = {
        "properties": {"request_id": {"type": "string"}, "row": {"type": "integer", "minimum": 0}, "label": {}},
        "required": ["request_id", "label"], "examples": [{"request_id": "3f2a", "row": 0, "label": "network"}],
    }  # fmt: skip
    rows, _ = rows_of([value] if not isinstance(value, list) else value, schema, service.settings.limits.rows)
    for number, row in enumerate(rows):
        if row.get("row", 0) > 2**31:
            raise ServeError("H007", f'Row {number}: "row" is too large.', "Rows of a request count from 0.")
    kept = [await asyncio.to_thread(service.log.label, r["request_id"], r.get("row", 0), r["label"]) for r in rows]
    if not all(kept):
        row = rows[kept.index(False)]
        seen = f'No answer "{row["request_id"][:128]}", row {row.get("row", 0)}, is known.'
        raise ServeError(
            "H016", seen, "Send the X-Request-ID of the answer; the server must run with --log.", details={"kept": kept}
        )
    return JSONResponse({"kept": len(kept)})


async def healthz(request: Request) -> Response:
    """The server lives."""
    return JSONResponse(service_of(request).health())


async def readyz(request: Request) -> Response:
    """Every model can answer now."""
    shelf = service_of(request).shelf
    waiting = [f"{served.name}/{served.version}" for served in shelf.all if not served.lane.ready]
    return JSONResponse({"ready": shelf.ready, "not_ready": waiting}, 200 if shelf.ready else 503)


async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(service_of(request).metrics.text(), media_type="text/plain; version=0.0.4")


async def models(request: Request) -> Response:
    """What is served."""
    return JSONResponse({"models": service_of(request).models()})


async def model(request: Request) -> Response:
    """One model: schemas, labels, state."""
    served = model_of(request)
    return JSONResponse(
        {"name": served.name, **served.as_dict(), "labels": list(served.labels), "input": strict(served.input_schema),
         "output": served.output_schema}
    )  # fmt: skip


async def reload(request: Request) -> Response:
    """Another bundle, or the same folder read again, in the place of the version that answers."""
    service = service_of(request)
    value = await body_of(request, service)
    schema = {"properties": {"path": {"type": "string", "maxLength": 4096}}, "examples": [{"path": "runs/new/model"}]}
    rows_of([value] if not isinstance(value, list) else value, schema, 1)
    path = value.get("path") if isinstance(value, dict) else None
    if path is not None and ("\0" in path or not path):
        raise ServeError("H007", "The path is no path.", "Send the folder of a bundle.")
    served = await service.reload(request.path_params["name"], Path(path) if path else None)
    return JSONResponse({"name": served.name, "version": served.version})


async def session(request: Request) -> Response:
    """The page's key, kept in a cookie that scripts cannot read and other sites cannot use."""
    service = service_of(request)
    value = await body_of(request, service)
    text = value.get("key") if isinstance(value, dict) else None
    if service.keys and (not isinstance(text, str) or owner_of(service.keys, text) is None):
        raise ServeError("H011", "The key is unknown.", "Ask whoever runs the server for one.")
    response = JSONResponse({"ok": True})
    if service.keys:
        response.set_cookie(
            COOKIE, str(text), httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/"
        )
    return response


def routes() -> list[Route]:
    """All routes of this file."""
    one = "/models/{name}"
    post = ["POST"]
    return [
        Route("/predict", predict, methods=post),
        Route(f"{one}/predict", predict, methods=post),
        Route(one + "/versions/{version}/predict", predict, methods=post),
        Route("/labels", labels, methods=post),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/api/models", models),
        Route("/api/models/{name}", model),
        Route("/api/models/{name}/versions/{version}", model),
        Route("/admin/models/{name}/reload", reload, methods=post),
        Route("/session", session, methods=post),
    ]
