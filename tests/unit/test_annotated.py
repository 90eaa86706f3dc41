"""Lists of objects as answers: their shape, their tensors, and the picture with boxes that a server gives."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from honed.media.colours import class_colours
from honed.serving.annotated import finds_objects, kind_asked
from honed.serving.answers import shaped
from honed.serving.app import make_app
from honed.serving.openapi import described
from honed.serving.protocol_v2 import outputs_of
from honed.serving.service import Service
from honed.tasks.contract import Predictions
from tests.finding import LABELS, OUTPUT, as_text, png, service_of

GREY = np.full((300, 600, 3), 128, np.uint8)
BOLT = {"label": "bolt", "score": 0.93, "box": [100.0, 50.0, 300.0, 250.0]}
NUMBER = {
    "type": "object",
    "properties": {
        **{name: {"type": "number"} for name in ("prediction", "low", "high")},
        "unsure": {"type": "boolean"},
    },
}


def opened(content: bytes) -> tuple[np.ndarray[Any, Any], str]:
    image = Image.open(io.BytesIO(content))
    return np.asarray(image.convert("RGB")).astype(int), str(image.format)


def client_of(service: Service) -> TestClient:
    return TestClient(make_app(service), raise_server_exceptions=False)


def test_lists_of_objects_have_the_shape_of_their_schema() -> None:
    found = Predictions(np.zeros((2, 9), np.float32), [[BOLT], []], None, None, np.array([False, True]))
    shown = shaped(found, OUTPUT, LABELS, 0.5)
    assert shown == [{"prediction": [BOLT], "unsure": False}, {"prediction": [], "unsure": True}]
    as_objects = np.empty(2, dtype=object)
    assert shaped(Predictions(as_objects, [[BOLT], []], None, None, found.unsure), OUTPUT, LABELS, 0.5) == shown


def test_numbers_still_have_their_interval() -> None:
    found = Predictions(np.array([3.0, 4.0]), [3.0, 4.0], None, None, np.array([False, False]))
    assert shaped(found, NUMBER, (), 0.5)[1] == {"prediction": 4.0, "low": 3.5, "high": 4.5, "unsure": False}
    (served,) = service_of([], output=NUMBER, labels=()).shelf.all
    assert next((one["name"], one["datatype"]) for one in outputs_of(served)) == ("prediction", "FP64")


def test_tensors_hold_objects_as_json() -> None:
    client = client_of(service_of([BOLT]))
    assert client.get("/v2/models/parts").json()["outputs"][0] == {
        "name": "prediction",
        "datatype": "BYTES",
        "shape": [-1],
    }
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2], "data": [as_text(png(GREY))] * 2}
    outputs = client.post("/v2/models/parts/infer", json={"inputs": [tensor]}).json()["outputs"]
    assert [one["name"] for one in outputs] == ["prediction", "unsure"] and outputs[0]["data"][0].startswith(
        '[{"label"'
    )


def test_json_is_the_usual_answer() -> None:
    client, body = client_of(service_of([BOLT])), {"image": as_text(png(GREY))}
    assert client.post("/predict", json=body).json() == {"prediction": [BOLT], "unsure": False}
    assert client.post("/predict?annotated=0", json=[body, body]).json()[1]["prediction"] == [BOLT]


@pytest.mark.parametrize(
    ("accept", "annotated", "kind"),
    [
        ("", "", ""), ("*/*", "", ""), ("application/json", "", ""), ("image/png", "", "image/png"), ("image/jpeg", "", "image/jpeg"),
        ("image/jpeg, image/png;q=0.5", "", "image/jpeg"), ("image/*", "", "image/png"), ("image/png, */*;q=0.1", "", "image/png"),
        ("application/json, image/png;q=0.9", "", ""), ("application/json;q=0.1, image/png", "", "image/png"), ("image/png;q=0", "", ""),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "", ""), ("image/webp", "", ""), ("image/png;q=x", "", ""),
        ("*/*", "1", "image/png"), ("application/json", "1", "image/png"), ("image/jpeg", "1", "image/jpeg"),
        ("image/png", "0", "image/png"),
    ],
)  # fmt: skip
def test_who_asks_for_a_picture_gets_one(accept: str, annotated: str, kind: str) -> None:
    assert kind_asked(accept, annotated) == kind


@pytest.mark.parametrize("how", ["json", "body", "form", "list"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_picture_has_the_boxes(how: str, kind: str) -> None:
    client, content = client_of(service_of([BOLT])), png(GREY)
    sent: dict[str, dict[str, Any]] = {
        "json": {"json": {"image": as_text(content)}}, "list": {"json": [{"image": as_text(content)}]},
        "body": {"content": content, "headers": {"Content-Type": "image/png"}}, "form": {"files": {"file": content}},
    }  # fmt: skip
    request = sent[how]
    request["headers"] = {**request.get("headers", {}), "Accept": f"image/{kind.lower()}"}
    response = client.post("/models/parts/predict", **request)
    assert response.status_code == 200 and response.headers["content-type"] == f"image/{kind.lower()}"
    assert response.headers["x-model"] == "parts" and response.headers["x-request-id"]
    found, written = opened(response.content)
    assert written == kind and found.shape == GREY.shape
    colour = np.array(class_colours(LABELS)["bolt"])
    like = np.abs(found - colour).max(axis=2) < (1 if kind == "PNG" else 60)
    assert like[150, 100:102].all() and like[150, 298:300].all() and like[249, 200]
    assert (np.abs(found[150, 150] - 128) < 5).all() and not like[150, 120:280].any()


def test_boxes_follow_the_upright_picture_and_its_size() -> None:
    """A photograph that lies on its side and is too large to be shown whole."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = png(np.full((2000, 4000, 3), 128, np.uint8), "JPEG", exif=exif)
    box = {"label": "nut", "score": 0.5, "box": [400.0, 2000.0, 1600.0, 3600.0]}
    response = client_of(service_of([box])).post("/predict?annotated=1", json={"image": as_text(content)})
    found, _ = opened(response.content)
    assert found.shape == (2048, 1024, 3)
    blue = np.abs(found - class_colours(LABELS)["nut"]).max(axis=2) < 12
    rows, columns = np.flatnonzero(blue[:, 512]), np.flatnonzero(blue[1400])
    scale = 2048 / 4000
    assert abs(rows[-1] + 1 - 3600 * scale) <= 1 and abs(columns[0] - 400 * scale) <= 1
    assert abs(columns[-1] + 1 - 1600 * scale) <= 1


def test_nothing_found_is_the_picture_alone() -> None:
    response = client_of(service_of([])).post("/predict?annotated=1", json={"image": as_text(png(GREY))})
    assert (opened(response.content)[0] == 128).all()


@pytest.mark.parametrize("how", ["no boxes", "no picture", "two pictures"])
def test_where_nothing_can_be_drawn_is_told(how: str) -> None:
    several = {"type": "object", "properties": {"prediction": {"type": "array", "items": {"type": "string"}}}}
    text = {"type": "object", "properties": {"text": {"type": "string"}}}
    service = {
        "no boxes": service_of(["bolt"], output=several),  # type: ignore[list-item]
        "no picture": service_of([BOLT], given=text),
        "two pictures": service_of([BOLT]),
    }[how]
    row = {"text": "a"} if how == "no picture" else {"image": as_text(png(GREY))}
    body: Any = [row, row] if how == "two pictures" else row
    response = client_of(service).post("/predict", json=body, headers={"Accept": "image/png"})
    assert response.status_code == 406 and response.json()["error"]["code"] == "H027"
    (served,) = service.shelf.all
    assert served.lane.asked == 0, "nothing is computed for an answer that cannot be given"  # type: ignore[attr-defined]
    assert client_of(service).post("/predict", json=body).status_code == 200


def test_the_description_for_programs_tells_of_it() -> None:
    ask = described(service_of([]))["paths"]["/predict"]["post"]
    assert ask["parameters"][0]["name"] == "annotated"
    assert set(ask["responses"]["200"]["content"]) == {"application/json", "image/png", "image/jpeg"}
    plain = described(service_of([], output=NUMBER))["paths"]["/predict"]["post"]
    assert "parameters" not in plain and list(plain["responses"]["200"]["content"]) == ["application/json"]


def test_only_boxes_are_boxes() -> None:
    assert finds_objects(OUTPUT) and not finds_objects(NUMBER) and not finds_objects({})
    assert not finds_objects({"properties": {"prediction": {"type": "array", "items": {"type": "string"}}}})


def test_drawing_needs_no_torch() -> None:
    """The process that speaks HTTP stays small."""
    code = (
        "import sys; from tests.finding import *; from honed.serving.annotated import annotated; import honed.serving.app\n"
        "annotated({'image': as_text(png(np.zeros((9, 9, 3), np.uint8)))}, INPUT, [], LABELS, 'image/png')\n"
        "print([name for name in ('torch', 'matplotlib', 'scipy', 'transformers') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
