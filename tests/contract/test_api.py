"""The API keeps what its own OpenAPI document promises: no input breaks it, every answer and error has the stated form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from honed.serving.settings import Admission, Settings
from honed.serving.testing import Running, running
from honed.testing.tiny_decoders import tiny_decoder

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def server(finished_run: Path) -> Iterator[Running]:
    with running([finished_run / "model"], settings=Settings(admission=Admission(unfit_because="a test"))) as found:
        yield found


def test_every_operation_withstands_generated_requests(server: Running) -> None:
    assert withstood(server) >= 12


def test_addresses_of_texts_withstand_generated_requests(tmp_path: Path) -> None:
    with running([tiny_decoder("llama", tmp_path / "base")]) as server:
        assert withstood(server, "/v1/") == 4


def withstood(server: Running, only: str = "/") -> int:
    """Sends what fits the document and what does not to every operation below an address; how many there were."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [one for result in schema.get_all_operations() if (one := result.ok()).path.startswith(only)]
    for operation in operations:
        modes = [schemathesis.GenerationMode.POSITIVE]
        if operation.body:
            modes.append(schemathesis.GenerationMode.NEGATIVE)
        for mode in modes:

            @settings(max_examples=25, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(case: schemathesis.Case) -> None:
                case.call_and_validate(checks=CHECKS)

            one()
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    restarts = httpx.get(f"{server.url}/api/models").json()["models"][0]["versions"][0]["worker_restarts"]
    assert restarts == 0
    return len(operations)


def test_every_address_is_described_or_a_page(server: Running) -> None:
    """No address is forgotten: what is not in the document is known here."""
    from honed.serving import openapi, pages, protocol_v2, routes
    from honed.serving.openapi import described

    known = {path.replace("/models/model", "/models/{name}") for path in described(server.service)["paths"]}
    name = next(iter(server.service.shelf.versions))
    version = server.service.shelf.default[name]
    known = {path.replace(f"/{name}", "/{name}").replace(version, "{version}") for path in known}
    there = {route.path for module in (openapi, pages, protocol_v2, routes) for route in module.routes()}
    left = {path for path in there - known if "versions/{version}" not in path}
    assert left == {
        "/", "/docs", "/static/{file}", "/openapi.json", "/session", "/admin/models/{name}/reload", "/api/addresses",
        "/api/monitor", "/models/{name}/report", "/models/{name}/report.json", "/models/{name}/card",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "H001"), ("GET", "/predict", 405, "H002"), ("POST", "/models/none/predict", 404, "H003"),
        ("POST", "/predict", 422, "H007"), ("POST", "/admin/models/x/reload", 403, "H012"), ("GET", "/static/x", 404, "H001"),
    ],
)  # fmt: skip
def test_errors_have_one_shape(server: Running, method: str, path: str, status: int, code: str) -> None:
    response = httpx.request(method, server.url + path, json={} if method == "POST" else None)
    assert response.status_code == status
    assert set(response.json()) == {"error"} and response.json()["error"]["code"] == code
    assert response.headers["x-request-id"] and "default-src 'none'" in response.headers["content-security-policy"]
