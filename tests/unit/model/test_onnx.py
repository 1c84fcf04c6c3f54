"""The ONNX engine, on models written byte by byte: no other package is needed to make them."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import MissingDependencyError, ModelError
from serinus.model import artifact, engine

FLOAT, STRING = 1, 8


def field(number: int, value: int | bytes | str | list[bytes]) -> bytes:
    """One field of a protocol buffer, or one for each item of a list."""
    if isinstance(value, list):
        return b"".join(field(number, item) for item in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def packed(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def node(kind: str, inputs: list[str], outputs: list[str], attributes: bytes = b"") -> bytes:
    domain = "ai.onnx.ml" if kind == "LabelEncoder" else ""
    return (
        b"".join(field(1, name) for name in inputs)
        + b"".join(field(2, name) for name in outputs)
        + field(4, kind)
        + field(7, domain)
        + attributes
    )


def lookup() -> bytes:
    """LabelEncoder's attributes: `good` is 0.9, `bad` 0.25, anything else 0.6."""
    keys = field(1, "keys_strings") + field(9, [b"good", b"bad"]) + field(20, 8)
    values = field(1, "values_floats") + field(7, packed([0.9, 0.25])) + field(20, 6)
    default = field(1, "default_float") + b"\x15" + packed([0.6]) + field(20, 1)
    return field(5, keys) + field(5, values) + field(5, default)


def declared(name: str, kind: int, shape: list[str | int]) -> bytes:
    dims = b"".join(
        field(1, field(1, size) if isinstance(size, int) else field(2, size)) for size in shape
    )
    tensor = field(1, kind) + field(2, dims)
    return field(1, name) + field(2, field(1, tensor))


def model(shape: list[str | int] | None = None, second: str = "rest", extra: bytes = b"") -> bytes:
    """P(positive) looked up by the whole text; `probabilities` is [second, positive]."""
    shape = shape or ["n", 1]
    one = field(1, 1) + field(2, FLOAT) + field(8, "one") + field(9, packed([1.0]))
    nodes = [node("LabelEncoder", ["text"], ["raw"], lookup())]
    if len(shape) == 1:
        axes = (1).to_bytes(8, "little")
        column = field(1, 1) + field(2, 7) + field(8, "axes") + field(9, axes)
        nodes.append(node("Unsqueeze", ["raw", "axes"], ["positive"]))
    else:
        column = b""
        nodes.append(node("Identity", ["raw"], ["positive"]))
    axis = field(5, field(1, "axis") + field(3, 1) + field(20, 2))
    nodes.append(node("Sub", ["one", "positive"], ["rest"]))
    nodes.append(node("Concat", [second, "positive"], ["probabilities"], axis))
    nodes.append(node("Identity", ["text"], ["same"]))
    graph = (
        field(1, nodes)
        + field(2, "graph")
        + field(5, one)
        + (field(5, column) if column else b"")
        + field(11, declared("text", STRING, shape))
        + extra
        + field(12, declared("probabilities", FLOAT, ["n", 2]))
        + field(12, declared("same", STRING, shape))
    )
    opsets = field(8, field(1, "") + field(2, 17)) + field(8, field(1, "ai.onnx.ml") + field(2, 3))
    return field(1, 8) + field(7, graph) + opsets


def make(folder: Path, data: bytes, **facts: Any) -> Path:
    values: dict[str, Any] = {
        "name": "brought", "version": "v1", "engine": "onnx", "labels": ["negative", "positive"],
        "options": {"input": "text", "output": "probabilities"},
    }  # fmt: skip
    artifact.write(folder, {"model.onnx": data}, **(values | facts))
    return folder


@pytest.mark.parametrize("shape", [["n", 1], ["n"]])
def test_a_model_predicts(tmp_path: Path, shape: list[str | int]) -> None:
    loaded = engine.load(make(tmp_path, model(shape)))
    found = loaded.predict(["good", "bad", "so so"])
    assert [label for label, _ in found] == ["positive", "negative", "positive"]
    assert [p for _, p in found] == pytest.approx([0.9, 0.75, 0.6])
    assert loaded.blocking


@pytest.mark.parametrize(
    ("data", "facts", "reason"),
    [
        (model(), {"options": {"input": "texts", "output": "probabilities"}}, "no input 'texts'"),
        (model(), {"options": {"input": "text", "output": "label"}}, "no output 'label', but"),
        (model(), {"options": {"input": "text", "output": "same"}}, "is tensor.string., not"),
        (model(), {"options": {"input": "text"}}, "missing required field `output`"),
        (model(), {"options": {}}, "do not declare an ONNX model"),
        (
            model(),
            {"options": {"input": "text", "output": "probabilities", "file": "other.onnx"}},
            "does not list the file 'other.onnx'",
        ),
        (model(), {"labels": ["bad", "fair", "good"]}, r"has shape \[2, 2\], not \[2, 3\]"),
        (model(second="positive"), {}, "holds no probabilities"),
        (model(["n", 3]), {}, r"has shape \['n', 3\]"),
        (model([4, 1]), {}, r"has shape \[4, 1\]"),
        (model(extra=field(11, declared("more", FLOAT, ["n"]))), {}, "other inputs too: more"),
        (b"not a model", {}, "cannot load the model"),
    ],
)
def test_a_wrong_model_is_refused_at_load(
    tmp_path: Path, data: bytes, facts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        engine.load(make(tmp_path, data, **facts))
    assert str(tmp_path) in caught.value.where


def test_a_missing_extra_names_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, model())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError) as caught:
        engine.load(tmp_path)
    assert "pip install 'serinus[model-service,onnx]'" in caught.value.remedy


def test_an_altered_model_is_not_loaded(tmp_path: Path) -> None:
    make(tmp_path, model())
    (tmp_path / "model.onnx").write_bytes(model(second="positive"))
    with pytest.raises(ModelError, match="altered"):
        engine.load(tmp_path)
