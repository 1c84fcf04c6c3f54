"""`serinus model bring`: a checked ONNX model is published, a wrong one isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.cli.main import run
from serinus.clients import registry

from ..model.test_onnx import model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.onnx"
    path.write_bytes(model())
    return path


def bring(file: Path, *arguments: str) -> int:
    store = file.with_name("registry")
    fixed = ["--name", "mine", "--version", "v1", "--registry", str(store)]
    return run(["model", "bring", str(file), *fixed, *arguments])


def test_a_model_is_published(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bring(file) == 0
    assert "mine v1" in capsys.readouterr().out
    found = registry.versions(str(file.with_name("registry")), "mine")
    assert [(entry.version, entry.engine) for entry in found] == [("v1", "onnx")]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--output", "same"], "tensor(string), not"),
        (["--labels", "a,b,c"], "not [2, 3]"),
        (["--labels", "a"], "length >= 2"),
    ],
)
def test_a_wrong_model_is_not(
    file: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(file, *arguments) == 1
    told = capsys.readouterr().err
    assert reason in told
    assert str(file) in told
    assert not file.with_name("registry").exists()
