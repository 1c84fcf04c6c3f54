"""Tensors of the Open Inference Protocol V2, in JSON and in its binary extension.

Enters: the body of an infer request. Leaves: its texts, and later the body of the answer. Pure;
called by `routes.open_inference`. Every wrong input is a ProtocolError that says what was expected.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

INPUT: Final = "text"
LABEL: Final = "label"
CONFIDENCE: Final = "confidence"
_ENCODER: Final = msgspec.json.Encoder()


class ProtocolError(ValueError):
    """A request that is answered with 400 and this text."""


class Tensor(Struct, omit_defaults=True):
    """One input or output. `data` is absent where it follows the JSON in binary form."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = UNSET


class RequestedOutput(Struct):
    """An output that the client wants, and how."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(Struct):
    """The JSON part of an infer request."""

    inputs: list[Tensor]
    id: str | UnsetType = UNSET
    parameters: dict[str, Any] = {}
    outputs: list[RequestedOutput] | UnsetType = UNSET


class InferResponse(Struct):
    """The JSON part of an infer answer."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | UnsetType = UNSET


_DECODER: Final = msgspec.json.Decoder(InferRequest)


def parse(body: bytes, header_length: int | None) -> tuple[InferRequest, list[str]]:
    """The request and its texts.

    `header_length` is the value of `Inference-Header-Content-Length`: how many bytes of the body
    are JSON; `None` for all of them.
    """
    if header_length is not None and not 0 <= header_length <= len(body):
        raise ProtocolError("Inference-Header-Content-Length is larger than the body")
    raw, binary = (body, b"") if header_length is None else (
        body[:header_length], body[header_length:]
    )  # fmt: skip
    try:
        request = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not an inference request: {error}") from error
    except RecursionError as error:
        raise ProtocolError("not an inference request: it is nested too deeply") from error
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        raise ProtocolError(f"expected exactly one input, called {INPUT!r}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise ProtocolError(f"input {INPUT!r} must be of datatype BYTES, not {tensor.datatype!r}")
    texts = _texts(tensor, binary)
    if any(size < 0 for size in tensor.shape) or len(tensor.shape) not in (1, 2) or (
        len(tensor.shape) == 2 and tensor.shape[1] != 1
    ):  # fmt: skip
        raise ProtocolError(f"input {INPUT!r} must have shape [n] or [n, 1], not {tensor.shape}")
    if math.prod(tensor.shape) != len(texts):
        raise ProtocolError(
            f"input {INPUT!r} has shape {tensor.shape} but {len(texts)} elements of data"
        )
    return request, texts


def _texts(tensor: Tensor, binary: bytes) -> list[str]:
    size = tensor.parameters.get("binary_data_size")
    if size is not None:
        if tensor.data is not UNSET:
            raise ProtocolError(f"input {INPUT!r} has both data and binary_data_size")
        if size != len(binary) or isinstance(size, bool):
            raise ProtocolError(
                f"input {INPUT!r} announces {size} bytes of binary data, {len(binary)} follow"
            )
        return [_utf8(item, index) for index, item in enumerate(_elements(binary))]
    if binary:
        raise ProtocolError("binary data follows that no input announces")
    if not isinstance(tensor.data, list):
        raise ProtocolError(f"input {INPUT!r} has no list of data")
    flat: list[Any] = []
    for item in tensor.data:
        flat.extend(item) if isinstance(item, list) else flat.append(item)
    encoded = tensor.parameters.get("content_type") == "base64"
    texts = []
    for index, item in enumerate(flat):
        if not isinstance(item, str):
            raise ProtocolError(f"element {index} of input {INPUT!r} is not a string")
        texts.append(_base64(item, index) if encoded else item)
    return texts


def _elements(binary: bytes) -> list[bytes]:
    """BYTES in binary form: each element follows its length, 4 bytes, little-endian."""
    found, position = [], 0
    while position < len(binary):
        if position + 4 > len(binary):
            raise ProtocolError(f"the binary data of input {INPUT!r} ends within a length")
        (size,) = struct.unpack_from("<I", binary, position)
        position += 4
        if position + size > len(binary):
            raise ProtocolError(f"the binary data of input {INPUT!r} ends within an element")
        found.append(binary[position : position + size])
        position += size
    return found


def _base64(item: str, index: int) -> str:
    try:
        return _utf8(base64.b64decode(item, validate=True), index)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(f"element {index} of input {INPUT!r} is not base64 of UTF-8") from error


def _utf8(item: bytes, index: int) -> str:
    try:
        return item.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"element {index} of input {INPUT!r} is not UTF-8") from error


def answer(
    request: InferRequest, model: tuple[str, str], results: Sequence[tuple[str, float]]
) -> tuple[bytes, int | None]:
    """The body of the answer and, when binary data follows its JSON part, that part's length."""
    everywhere = request.parameters.get("binary_data_output") is True
    wanted = (
        [RequestedOutput(LABEL), RequestedOutput(CONFIDENCE)]
        if isinstance(request.outputs, UnsetType) or not request.outputs
        else request.outputs
    )
    outputs, binary = [], []
    for output in wanted:
        tensor = _output(output.name, results)
        if output.parameters.get("binary_data", everywhere) is True:
            data = _packed(tensor)
            tensor.parameters = {"binary_data_size": len(data)}
            tensor.data = UNSET
            binary.append(data)
        outputs.append(tensor)
    head = _ENCODER.encode(InferResponse(*model, outputs, request.id))
    return (b"".join((head, *binary)), len(head)) if binary else (head, None)


def _output(name: str, results: Sequence[tuple[str, float]]) -> Tensor:
    shape = [len(results)]
    if name == LABEL:
        return Tensor(LABEL, shape, "BYTES", data=[label for label, _ in results])
    if name == CONFIDENCE:
        return Tensor(CONFIDENCE, shape, "FP64", data=[confidence for _, confidence in results])
    raise ProtocolError(f"there is no output {name!r}; there are {LABEL!r} and {CONFIDENCE!r}")


def _packed(tensor: Tensor) -> bytes:
    if tensor.datatype == "FP64":
        return struct.pack(f"<{len(tensor.data)}d", *tensor.data)
    encoded = [item.encode() for item in tensor.data]
    return b"".join(struct.pack("<I", len(item)) + item for item in encoded)
