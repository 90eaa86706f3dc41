"""The Open Inference Protocol, version 2: what other model servers speak."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from honed import __version__
from honed.errors import ServeError
from honed.serving.check import rows_of
from honed.serving.http import body_of
from honed.serving.routes import model_of, rows_model_of, service_of
from honed.serving.shelf import Served
from honed.tasks.contract import Predictions

DATATYPES = {"string": "BYTES", "number": "FP64", "integer": "INT64", "boolean": "BOOL"}
TAKEN = {
    "string": ("BYTES",), "number": ("FP64", "FP32", "INT64", "INT32"), "integer": ("INT64", "INT32"), "boolean": ("BOOL",),
}  # fmt: skip


def _trouble(seen: str) -> ServeError:
    return ServeError("H007", seen, "GET /v2/models/NAME says which tensors are read.")


def inputs_of(served: Served) -> list[dict[str, Any]]:
    """The tensors that a model reads."""
    fields = served.input_schema["properties"]
    return [
        {"name": name, "datatype": DATATYPES.get(str(field.get("type")), "BYTES"), "shape": [-1]}
        for name, field in fields.items()
    ]


def outputs_of(served: Served) -> list[dict[str, Any]]:
    """The tensors that a model gives."""
    fields = served.output_schema["properties"]
    number = fields["prediction"].get("type") == "number"
    found = {
        "prediction": ("FP64" if number else "BYTES", [-1]), "confidence": ("FP32", [-1]),
        "probabilities": ("FP32", [-1, len(served.labels)]), "low": ("FP64", [-1]), "high": ("FP64", [-1]),
        "unsure": ("BOOL", [-1]),
    }  # fmt: skip
    return [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in found.items() if name in fields]


def rows_from(served: Served, value: Any, most: int) -> list[dict[str, Any]]:
    """Rows out of the tensors of a request. Raises ServeError [H006, H007]."""
    tensors = value.get("inputs") if isinstance(value, dict) else None
    if not isinstance(tensors, list) or not tensors or not all(isinstance(one, dict) for one in tensors):
        raise _trouble('The request has no list "inputs" of tensors.')
    columns: dict[str, list[Any]] = {}
    fields = served.input_schema["properties"]
    for tensor in tensors:
        name = tensor.get("name")
        if not isinstance(name, str) or name not in fields or name in columns:
            raise _trouble(f"The tensor {json.dumps(name)[:80]} is not one that the model reads, or comes twice.")
        columns[name] = _column(name, tensor, str(fields[name].get("type")))
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise _trouble("The tensors have different numbers of rows.")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows_of(rows, served.input_schema, most)[0]


def _column(name: str, tensor: dict[str, Any], kind: str) -> list[Any]:
    taken = TAKEN.get(kind, ("BYTES",))
    if tensor.get("datatype") not in taken:
        raise _trouble(f'The tensor "{name}" must have the datatype {" or ".join(taken)}.')
    data, shape = tensor.get("data"), tensor.get("shape")
    if isinstance(data, list) and any(isinstance(item, list) for item in data):
        data = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in data]
    well = isinstance(shape, list) and all(type(n) is int for n in shape) and len(shape) in (1, 2)
    if not isinstance(data, list) or not isinstance(shape, list) or not well:
        raise _trouble(f'The tensor "{name}" needs "data" and a "shape" of [n] or [n, 1].')
    if shape[0] != len(data) or shape[1:] not in ([], [1]):
        raise _trouble(f'The tensor "{name}" has {len(data)} values, which do not fit its shape.')
    return data


def tensors_from(served: Served, found: Predictions) -> list[dict[str, Any]]:
    """The tensors of an answer."""
    n = len(found.labels)
    shown = served.shown(found)
    given = []
    for tensor in outputs_of(served):
        name = tensor["name"]
        if name not in shown[0]:
            continue
        if name == "probabilities":
            assert found.probabilities is not None
            data, shape = np.asarray(found.probabilities).reshape(-1).tolist(), [n, len(served.labels)]
        else:
            data, shape = [row[name] for row in shown], [n]
        if tensor["datatype"] == "BYTES":
            data = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in data]
        parameters = {"labels": list(served.labels)} if name == "probabilities" else {}
        given.append({**tensor, "shape": shape, "data": data, "parameters": parameters})
    return given


async def server(request: Request) -> Response:
    """Who answers."""
    return JSONResponse({"name": "honed", "version": __version__, "extensions": []})


async def live(request: Request) -> Response:
    """The server lives."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """Every model can answer now."""
    well = service_of(request).shelf.ready
    return JSONResponse({"ready": well}, 200 if well else 503)


async def model_ready(request: Request) -> Response:
    """One model can answer now."""
    served = model_of(request)
    return JSONResponse({"name": served.name, "ready": served.lane.ready}, 200 if served.lane.ready else 503)


async def model(request: Request) -> Response:
    """What a model reads and gives."""
    served = rows_model_of(request)
    versions = list(service_of(request).shelf.versions[served.name])
    return JSONResponse(
        {"name": served.name, "versions": versions, "platform": "honed", "inputs": inputs_of(served),
         "outputs": outputs_of(served)}
    )  # fmt: skip


async def infer(request: Request) -> Response:
    """Answers as tensors."""
    service = service_of(request)
    value = await body_of(request, service)
    served = rows_model_of(request)
    rows = rows_from(served, value, service.settings.limits.rows)
    given = value.get("id")
    found = await service.answer(served, rows, request.state.request_id, None)
    return JSONResponse(
        {"model_name": served.name, "model_version": served.version,
         "id": given if isinstance(given, str) else request.state.request_id, "outputs": tensors_from(served, found)}
    )  # fmt: skip


def routes() -> list[Route]:
    """All routes of this file."""
    found = [Route("/v2", server), Route("/v2/health/live", live), Route("/v2/health/ready", ready)]
    for place in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            Route(place, model), Route(f"{place}/ready", model_ready), Route(f"{place}/infer", infer, methods=["POST"]),
        ]  # fmt: skip
    return found
