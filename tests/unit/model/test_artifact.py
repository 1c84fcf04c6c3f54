"""Artifacts: same bytes for the same content, and every kind of damage is refused and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serinus.errors import ArtifactError
from serinus.model import artifact

FACTS: dict[str, Any] = {
    "name": "reviews", "version": "v1", "engine": "linear", "labels": ["negative", "positive"],
    "metrics": {"accuracy": 0.9},
}  # fmt: skip
CONTENTS = {"model.json": b'{"terms": {}}', "extra/notes.txt": b"notes"}


def test_written_artifacts_verify_and_are_deterministic(tmp_path: Path) -> None:
    first = artifact.write(tmp_path / "a", CONTENTS, **FACTS)
    artifact.write(tmp_path / "b", dict(reversed(CONTENTS.items())), **FACTS)
    assert artifact.verify(tmp_path / "a") == first
    assert (tmp_path / "a/manifest.json").read_bytes() == (
        tmp_path / "b/manifest.json"
    ).read_bytes()
    assert first.bytes == sum(len(data) for data in CONTENTS.values())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "truncated or altered"),
        (lambda p: p.write_bytes(b"x" * len(CONTENTS["model.json"])), "SHA-256 differs"),
        (lambda p: p.unlink(), "missing"),
    ],
)
def test_damage_is_refused_and_the_file_named(tmp_path: Path, damage: Any, message: str) -> None:
    artifact.write(tmp_path, CONTENTS, **FACTS)
    damage(tmp_path / "model.json")
    with pytest.raises(ArtifactError, match=message) as caught:
        artifact.verify(tmp_path)
    assert caught.value.where.endswith("model.json")


def test_a_manifest_whose_digest_lies_is_refused(tmp_path: Path) -> None:
    manifest = artifact.write(tmp_path, CONTENTS, **FACTS)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace(manifest.digest, "0" * 64))
    with pytest.raises(ArtifactError, match="digest does not fit"):
        artifact.read(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ".", "manifest.json"])
def test_paths_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    file = artifact.ArtifactFile(name, 1, "0" * 64)
    manifest = artifact.Manifest(files=[file], digest=artifact.digest_of([file]), **FACTS)
    with pytest.raises(ArtifactError, match="may not be called"):
        artifact.decode(artifact.encode(manifest), "here")


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"name": "Not OK"}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError, match="not a model manifest"):
        artifact.decode(data, "here")


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no model manifest"):
        artifact.read(tmp_path)
