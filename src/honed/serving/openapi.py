"""The description of the API for programs, made from the schemas of what is served."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from honed import __version__
from honed.serving.annotated import KINDS, finds_objects
from honed.serving.routes import service_of, strict
from honed.serving.service import Service
from honed.serving.v1.asked import CHAT, COMPLETION

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "seen", "remedy", "details"],
            "properties": {
                "code": {"type": "string"}, "seen": {"type": "string"}, "remedy": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}  # fmt: skip
_FACTS = {"message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]}}
WRITING_ERROR = {
    "type": "object", "required": ["error"],
    "properties": {"error": {"type": "object", "properties": {**_FACTS, "code": {"type": "string"}}}},
}  # fmt: skip
PREDICT_ERRORS = ("400", "401", "404", "406", "408", "413", "415", "422", "429", "500", "503", "504")


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _errors(statuses: tuple[str, ...]) -> dict[str, Any]:
    shown = {"description": "What was seen and what to do.", "content": _json({"$ref": "#/components/schemas/Error"})}
    return dict.fromkeys(statuses, shown)


def _one_or_many(schema: dict[str, Any], most: int | None = None) -> dict[str, Any]:
    many: dict[str, Any] = {"type": "array", "items": schema, "minItems": 1}
    return {"oneOf": [schema, {**many, "maxItems": most} if most else many]}


def _get(summary: str, errors: tuple[str, ...] = ("401",), schema: dict[str, Any] | None = None) -> dict[str, Any]:
    ok = {"description": summary, "content": _json(schema or {"type": "object"})}
    return {"get": {"summary": summary, "responses": {"200": ok, **_errors(errors)}}}


def _post(
    summary: str, given: dict[str, Any], answer: dict[str, Any], errors: tuple[str, ...] = PREDICT_ERRORS
) -> dict[str, Any]:
    ok = {"description": "The answer.", "content": _json(answer)}
    body = {"required": True, "content": _json(given)}
    return {"post": {"summary": summary, "requestBody": body, "responses": {"200": ok, **_errors(errors)}}}


def described(service: Service) -> dict[str, Any]:
    """The OpenAPI document of what is served now."""
    shelf = service.shelf
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": ERROR, "WritingError": WRITING_ERROR}
    for number, name in enumerate(shelf.versions):
        served = shelf.find(name)
        paths[f"/api/models/{name}"] = _get(f"Schemas and state of {name}.")
        if not served.reads_rows:
            continue
        given, output = f"Input{number or ''}", f"Output{number or ''}"
        schemas |= {given: strict(served.input_schema), output: served.output_schema}
        ask = _post(
            f"Answers of {name}.",
            _one_or_many({"$ref": f"#/components/schemas/{given}"}, service.settings.limits.rows),
            _one_or_many({"$ref": f"#/components/schemas/{output}"}),
        )
        if finds_objects(served.output_schema):
            _draws(ask["post"])
        if len(shelf.versions) == 1:
            paths["/predict"] = ask
        paths[f"/models/{name}/predict"] = ask
        for version in shelf.versions[name]:
            paths[f"/models/{name}/versions/{version}/predict"] = ask
        paths[f"/v2/models/{name}"] = _get(f"Tensors of {name} (Open Inference Protocol).")
        paths[f"/v2/models/{name}/ready"] = _get(f"{name} can answer now.", ("401", "503"))
        paths[f"/v2/models/{name}/infer"] = _post(f"Answers of {name} as tensors.", _infer(), {"type": "object"})
    if any(served.lane.writes for served in shelf.all):
        paths |= written_paths()
    paths |= _common()
    security: list[dict[str, list[str]]] = [{"key": []}] if service.keys else []
    schemes = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0", "info": {"title": "Honed", "version": __version__}, "paths": paths, "security": security,
        "components": {"schemas": schemas, "securitySchemes": schemes},
    }  # fmt: skip


def _draws(ask: dict[str, Any]) -> None:
    """The answer may be had as a picture."""
    ask["parameters"] = [{
        "name": "annotated", "in": "query", "required": False, "schema": {"type": "string", "enum": ["0", "1"]},
        "description": "1: the picture with what was found on it, in place of JSON; as Accept: image/png. For one picture.",
    }]  # fmt: skip
    ask["responses"]["200"]["content"] |= {kind: {} for kind in KINDS}


def _infer() -> dict[str, Any]:
    tensor = {
        "type": "object", "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"type": "string"}, "datatype": {"type": "string"}, "data": {"type": "array"},
            "shape": {"type": "array", "items": {"type": "integer"}},
        },
    }  # fmt: skip
    inputs = {"type": "array", "items": tensor, "minItems": 1}
    return {"type": "object", "required": ["inputs"], "properties": {"id": {"type": "string"}, "inputs": inputs}}


def _common() -> dict[str, Any]:
    label = {
        "type": "object", "required": ["request_id", "label"], "additionalProperties": False,
        "properties": {"request_id": {"type": "string"}, "row": {"type": "integer", "minimum": 0}, "label": {}},
    }  # fmt: skip
    metrics = _get("Figures for Prometheus.")
    metrics["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/labels": _post("The truth of an answer that was given.", _one_or_many(label), {"type": "object"}),
        "/healthz": _get("The server lives.", ()),
        "/readyz": _get("Every model can answer now.", ("503",)),
        "/metrics": metrics,
        "/api/models": _get("What is served."),
        "/v2": _get("Who answers (Open Inference Protocol)."),
        "/v2/health/live": _get("The server lives.", ()),
        "/v2/health/ready": _get("Every model can answer now.", ("503",)),
    }


def written_paths() -> dict[str, Any]:
    """The addresses of models that write, as OpenAI's clients know them."""
    wrong = ("400", "401", "404", "408", "413", "415", "429", "500", "503", "504")
    answer = {"type": "object", "required": ["id", "object", "created", "model", "choices"]}
    found = {
        "/v1/models": _get("The models that write."),
        "/v1/models/{name}": _get("One of them.", ("400", "401", "404")),
    }
    for path, summary, schema in (
        ("/v1/completions", "Texts continued.", COMPLETION), ("/v1/chat/completions", "Chats answered.", CHAT),
    ):  # fmt: skip
        found[path] = _post(summary, {"type": "object", **schema, "additionalProperties": False}, answer, wrong)
        found[path]["post"]["responses"]["200"]["content"] |= {"text/event-stream": {"schema": {"type": "string"}}}
    named = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    found["/v1/models/{name}"]["get"]["parameters"] = [named]
    told = {"description": "What is wrong.", "content": _json({"$ref": "#/components/schemas/WritingError"})}
    for methods in found.values():
        for method in methods.values():
            method["responses"] |= dict.fromkeys(set(method["responses"]) - {"200"}, told)
    return found


async def document(request: Request) -> Response:
    """GET /openapi.json."""
    return JSONResponse(described(service_of(request)))


def routes() -> list[Route]:
    """All routes of this file."""
    return [Route("/openapi.json", document)]
