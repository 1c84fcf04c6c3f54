"""A model artifact: a folder of files and the manifest that vouches for them.

Enters: a folder, or the parts of a new artifact. Leaves: a checked `Manifest`. Called by
training, the registry client and the engines. No format here can execute anything (no pickle).
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from serinus.errors import ArtifactError

MANIFEST: Final = "manifest.json"
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class ArtifactFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the artifact: its path below the folder, size in bytes, SHA-256."""

    path: str
    bytes: int
    sha256: Digest


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artifact is and where it comes from.

    `digest` is the SHA-256 over the sorted `sha256  path` lines of its files, so it names the
    content. `labels` are in the order of the engine's output. `metrics` are fractions (accuracy,
    ...); `training` holds the settings that reproduce it; `data_sha256` the training data's hash.
    There is no time in it: the same data, seed and versions give the same bytes.
    """

    name: Name
    version: Name
    engine: Literal["linear", "onnx"]
    labels: list[str]
    files: list[ArtifactFile]
    digest: Digest
    description: str = ""
    data_sha256: str = ""
    metrics: dict[str, Any] = {}
    training: dict[str, Any] = {}
    options: dict[str, Any] = {}

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


def digest_of(files: list[ArtifactFile]) -> str:
    """The digest that names an artifact's content."""
    lines = sorted(f"{file.sha256}  {file.path}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(folder: Path, contents: dict[str, bytes], **facts: Any) -> Manifest:
    """Write `contents` (path to bytes) and their manifest into the empty or new `folder`.

    `facts` are the manifest's other fields. Bytes depend on the arguments alone.
    """
    files = []
    for path, data in sorted(contents.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        files.append(ArtifactFile(path, len(data), hashlib.sha256(data).hexdigest()))
    manifest = Manifest(files=files, digest=digest_of(files), **facts)
    (folder / MANIFEST).write_bytes(encode(manifest))
    return manifest


def encode(manifest: Manifest) -> bytes:
    """The manifest's one and only byte form: sorted keys, two spaces, a final line break."""
    plain = msgspec.json.encode(manifest, order="sorted")
    return msgspec.json.format(plain, indent=2) + b"\n"


def decode(data: bytes, where: str) -> Manifest:
    """Read a manifest; ArtifactError names `where` and the field that does not fit."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"not a model manifest: {error}", where=where) from error
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or file.path in ("", ".", MANIFEST):
            raise ArtifactError(f"a file may not be called {file.path!r}", where=where)
    if digest_of(manifest.files) != manifest.digest:
        raise ArtifactError("the manifest's digest does not fit the files it lists", where=where)
    return manifest


def read(folder: Path) -> Manifest:
    """The manifest of `folder`, not yet compared with the files; see `verify`."""
    path = folder / MANIFEST
    try:
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise ArtifactError("there is no model manifest", where=str(path)) from error


def verify(folder: Path, manifest: Manifest | None = None) -> Manifest:
    """Compare every file with the manifest; ArtifactError names the first that differs."""
    manifest = manifest or read(folder)
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            raise ArtifactError("a file of the model is missing", where=str(path))
        size = path.stat().st_size
        if size != file.bytes:
            raise ArtifactError(
                f"the file is truncated or altered: {size} bytes instead of {file.bytes}",
                where=str(path),
            )
        if sha256_of(path) != file.sha256:
            raise ArtifactError("the file is altered: its SHA-256 differs", where=str(path))
    return manifest
