"""The format of a model artifact: a folder of files and the manifest that vouches for them.

Enters: a folder or a manifest's bytes. Leaves: a checked `Manifest`. Shared by training and the
engines (`serinus.model`), which write and load artifacts, and by `serinus.clients.registry`, which
moves them. No format here can execute anything (no pickle).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from serinus.errors import ArtifactError

MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 1_000_000
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
Name = Annotated[str, Meta(pattern=rf"^{NAME.pattern}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
# Plain ASCII, so that a path means the same in a file system and in an address.
_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ArtifactFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the artifact: its path below the folder, size in bytes, SHA-256."""

    path: str
    bytes: Annotated[int, Meta(ge=0)]
    sha256: Digest


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artifact is and where it comes from.

    `digest` is the SHA-256 over the sorted `sha256  path` lines of its files, so it names the
    content. `labels` are in the order of the engine's output. `metrics` are fractions (accuracy,
    ...); `training` holds the settings that reproduce it; `data_sha256` the training data's hash;
    `options` what the engine must know (see `serinus.model.onnx`). There is no time in it: the
    same data, seed and versions give the same bytes.
    """

    name: Name
    version: Name
    engine: Literal["linear", "onnx"]
    labels: Annotated[list[str], Meta(min_length=2)]
    files: Annotated[list[ArtifactFile], Meta(min_length=1)]
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
    seen: set[str] = set()
    for file in manifest.files:
        if not _PATH.fullmatch(file.path) or file.path == MANIFEST or file.path in seen:
            raise ArtifactError(f"a file may not be called {file.path!r}", where=where)
        seen.add(file.path)
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
    except OSError as error:
        raise ArtifactError(
            f"the model manifest cannot be read: {error.strerror}", where=str(path)
        ) from error


def verify(folder: Path, manifest: Manifest | None = None) -> Manifest:
    """Compare every file with the manifest; ArtifactError names the first that differs."""
    manifest = manifest or read(folder)
    for file in manifest.files:
        path = folder / file.path
        try:
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
        except OSError as error:
            raise ArtifactError(
                f"a file of the model cannot be read: {error.strerror}", where=str(path)
            ) from error
    return manifest
