"""The Open Inference Protocol V2: metadata, health, infer in JSON and in binary, its errors."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import pytest

INFER = "/v2/models/reviews/infer"


def tensor(**changes: Any) -> dict[str, Any]:
    base = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["good", "awful"]}
    merged = base | changes
    return {key: value for key, value in merged.items() if value is not None}


def packed(*items: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (
            "/v2",
            {"name": "model-service", "version": "1.2.3", "extensions": ["binary_tensor_data"]},
        ),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/reviews/ready", {"name": "reviews", "ready": True}),
        ("/v2/models/reviews/versions/v1/ready", {"name": "reviews", "ready": True}),
    ],
)
async def test_server_and_health(client: Any, path: str, found: dict[str, Any]) -> None:
    answer = await client.call("GET", path)
    assert (answer.status, answer.json()) == (200, found)


@pytest.mark.parametrize("path", ["/v2/models/reviews", "/v2/models/reviews/versions/v1"])
async def test_model_metadata(client: Any, engine: Any, path: str) -> None:
    found = (await client.call("GET", path)).json()
    assert found["versions"] == ["v1"]
    assert found["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in found["outputs"]] == ["label", "confidence"]
    assert found["parameters"]["manifest"]["digest"] == engine.manifest.digest
    assert found["parameters"]["manifest"]["labels"] == ["negative", "positive"]


async def test_a_stopping_server_is_not_ready(client: Any, chassis: Any) -> None:
    chassis.health.stopping = True
    assert (await client.call("GET", "/v2/health/ready")).status == 503
    answer = await client.call("GET", "/v2/models/reviews/ready")
    assert (answer.status, answer.json()["ready"]) == (503, False)
    assert (await client.call("GET", "/v2/health/live")).status == 200


@pytest.mark.parametrize("path", [INFER, "/v2/models/reviews/versions/v1/infer"])
async def test_infer(client: Any, path: str) -> None:
    answer = await client.infer({"id": "42", "inputs": [tensor()]}, path)
    assert answer.status == 200
    assert answer.json() == {
        "model_name": "reviews",
        "model_version": "v1",
        "id": "42",
        "outputs": [
            {
                "name": "label", "datatype": "BYTES", "shape": [2],
                "data": ["positive", "negative"],
            },
            {"name": "confidence", "datatype": "FP64", "shape": [2], "data": [0.9, 0.8]},
        ],
    }  # fmt: skip


async def test_the_client_chooses_outputs(client: Any) -> None:
    body = {"inputs": [tensor(shape=[2, 1], data=[["good"], ["awful"]])]}
    answer = await client.infer(body | {"outputs": [{"name": "confidence"}]})
    assert [output["name"] for output in answer.json()["outputs"]] == ["confidence"]
    assert "id" not in answer.json()


async def test_base64_content(client: Any) -> None:
    data = [base64.b64encode(text.encode()).decode() for text in ("good", "awful")]
    body = {"inputs": [tensor(data=data, parameters={"content_type": "base64"})]}
    labels = (await client.infer(body)).json()["outputs"][0]["data"]
    assert labels == ["positive", "negative"]


async def test_binary_in_and_out(client: Any) -> None:
    binary = packed(b"good", "schön".encode())
    head = msgspec.json.encode(
        {
            "inputs": [tensor(data=None, parameters={"binary_data_size": len(binary)})],
            "parameters": {"binary_data_output": True},
        }
    )
    answer = await client.infer(head + binary, inference_header_content_length=str(len(head)))
    assert answer.status == 200
    size = int(answer.headers["inference-header-content-length"])
    outputs = msgspec.json.decode(answer.body[:size])["outputs"]
    sizes = [output["parameters"]["binary_data_size"] for output in outputs]
    assert answer.body[size:][: sizes[0]] == packed(b"positive", b"negative")
    assert struct.unpack("<2d", answer.body[size + sizes[0] :]) == (0.9, 0.8)
    assert all("data" not in output for output in outputs)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not an inference request"),
        (b"\xff", "not an inference request"),
        ({"inputs": []}, "exactly one input"),
        ({"inputs": [tensor(), tensor()]}, "exactly one input"),
        ({"inputs": [tensor(name="input")]}, "called 'text'"),
        ({"inputs": [tensor(datatype="FP32")]}, "datatype BYTES, not 'FP32'"),
        ({"inputs": [tensor(shape=[3])]}, "3] but 2 elements"),
        ({"inputs": [tensor(shape=[1, 2])]}, "[n] or [n, 1]"),
        ({"inputs": [tensor(shape=[-2])]}, "[n] or [n, 1]"),
        ({"inputs": [tensor(shape=[])]}, "[n] or [n, 1]"),
        ({"inputs": [tensor(shape=[10**30])]}, "but 2 elements"),
        (b'{"inputs": [{"data":' + b"[" * 100_000, "nested too deeply"),
        ({"inputs": [tensor(data="good")]}, "no list of data"),
        ({"inputs": [tensor(data=None)]}, "no list of data"),
        ({"inputs": [tensor(data=["good", 5])]}, "element 1 of input 'text' is not a string"),
        ({"inputs": [tensor(data=["good", " "])]}, "element 1 of the input"),
        ({"inputs": [tensor(shape=[0], data=[])]}, "at least one text"),
        ({"inputs": [tensor(shape=[1001], data=["a"] * 1001)]}, "at most 1000 texts"),
        ({"inputs": [tensor(shape=[1], data=["x" * 5001])]}, "at most 5000 characters"),
        ({"inputs": [tensor()], "outputs": [{"name": "logits"}]}, "no output 'logits'"),
        ({"inputs": [tensor(parameters={"content_type": "base64"})]}, "not base64"),
        ({"inputs": [tensor(parameters={"binary_data_size": 3})]}, "both data and"),
        ({"inputs": [tensor(data=None, parameters={"binary_data_size": 3})]}, "3 bytes"),
    ],
)
async def test_wrong_requests_are_explained(client: Any, body: Any, message: str) -> None:
    answer = await client.infer(body)
    assert answer.status == 400
    assert list(answer.json()) == ["error"]
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("binary", "announced", "message"),
    [
        (b"\x01\x00", 2, "ends within a length"),
        (packed(b"good")[:-1], 7, "ends within an element"),
        (packed(b"\xff", b"good"), 13, "element 0 of input 'text' is not UTF-8"),
        (packed(b"good", b"awful"), 18, "announces 18 bytes"),
        (packed(b"good", b"awful"), True, "announces True bytes"),
        (packed(b"good", b"awful"), "17", "announces 17 bytes"),
        (packed(b"good", b"awful"), None, "no input announces"),
    ],
)
async def test_wrong_binary_data_is_explained(
    client: Any, binary: bytes, announced: Any, message: str
) -> None:
    parameters = None if announced is None else {"binary_data_size": announced}
    head = msgspec.json.encode({"inputs": [tensor(data=None, parameters=parameters)]})
    answer = await client.infer(head + binary, inference_header_content_length=str(len(head)))
    assert answer.status == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "999999", "\u00b2"])
async def test_a_wrong_header_length(client: Any, length: str) -> None:
    answer = await client.infer({"inputs": [tensor()]}, inference_header_content_length=length)
    assert answer.status == 400
    assert "inference-header-content-length" in answer.json()["error"].lower()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/others", 404),
        ("GET", "/v2/models/reviews/versions/v2", 404),
        ("POST", "/v2/models/others/infer", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/health/live", 405),
    ],
)
async def test_errors_are_the_protocols(client: Any, method: str, path: str, status: int) -> None:
    answer = await client.call(method, path)
    assert answer.status == status
    assert list(answer.json()) == ["error"]


async def test_a_body_that_is_too_large(client: Any) -> None:
    answer = await client.infer(b" " * 1_000_001)
    assert (answer.status, list(answer.json())) == (413, ["error"])


async def test_a_crash_is_the_protocols_too(client: Any) -> None:
    with pytest.raises(RuntimeError):  # Starlette answers, then raises it for the server to log
        await client.infer({"inputs": [tensor(data=["good", "crash"])]})
