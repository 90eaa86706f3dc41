"""The ASGI application: all routes, one shape of error."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from honed.errors import HonedError, ServeError
from honed.serving import openapi, pages, protocol_v2, routes
from honed.serving.http import Edge
from honed.serving.problems import problem_response, unexpected
from honed.serving.service import Service
from honed.serving.v1.routes import routes as v1_routes


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    if error.status_code == 405:
        allowed = dict(error.headers or {}).get("Allow", "another method")
        told = ServeError("H002", f"{path} does not take {request.method}.", f"It takes {allowed}.")
    else:
        told = ServeError("H001", f"There is no address {path}.", "/docs lists all there are.")
    response = problem_response(told, request.url.path)
    response.headers.update(error.headers or {})
    return response


async def _coded(request: Request, error: Exception) -> Response:
    assert isinstance(error, HonedError)
    return problem_response(error, request.url.path)


async def _unexpected(request: Request, error: Exception) -> Response:
    return problem_response(unexpected(request.state.request_id), request.url.path)


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


def make_app(service: Service) -> ASGIApp:
    """The application of a service."""
    app = Starlette(
        routes=[*routes.routes(), *protocol_v2.routes(), *v1_routes(), *openapi.routes(), *pages.routes()],
        exception_handlers={
            HTTPException: _http_error,
            HonedError: _coded,
            ClientDisconnect: _left,
            Exception: _unexpected,
        },
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return Edge(app, service)
