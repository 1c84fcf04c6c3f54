"""Puts a version of a model into a registry.

Enters: an artifact folder and the registry's directory. Leaves: the version in place, whole, and
the index that lists it. Called by `serinus model train` and by the local run. A version never
changes once it is published.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from serinus.clients.registry.lock import exclusive
from serinus.clients.registry.sources import INDEX, Index, IndexEntry
from serinus.contracts import artifact
from serinus.contracts.artifact import MANIFEST, Manifest
from serinus.errors import ArtifactError, RegistryError

LOCK_SECONDS: Final = 60.0


def publish(folder: Path, registry: str) -> Manifest:
    """Copy the artifact in `folder` into the directory `registry`; the same twice changes nothing.

    Raises ArtifactError when the artifact does not verify, RegistryError for an http(s) registry,
    for a directory that cannot be written, and when the version exists with other content.
    """
    if "://" in registry:
        raise RegistryError(
            "an http(s) registry is read-only",
            where=registry,
            remedy="Publish into the directory that it serves, or into one you then copy there.",
        )
    manifest = artifact.verify(folder)
    home = Path(registry) / manifest.name
    try:
        with exclusive(home / ".publish.lock", LOCK_SECONDS):
            _place(folder, home / manifest.version, manifest)
            _write_index(home, manifest.name)
    except OSError as error:
        raise RegistryError(
            f"cannot publish: {error.strerror}",
            where=str(home),
            remedy="The registry's directory must be writable.",
        ) from error
    return manifest


def _place(folder: Path, target: Path, manifest: Manifest) -> None:
    if target.exists():
        if (target / MANIFEST).read_bytes() == artifact.encode(manifest):
            artifact.verify(target)
            return
        raise RegistryError(
            f"{manifest.name} {manifest.version} is already published, with other content",
            where=str(target),
            remedy="Published versions never change: choose another version.",
        )
    fresh = Path(tempfile.mkdtemp(prefix=f".{manifest.version}.publish-", dir=target.parent))
    try:
        for file in manifest.files:
            (fresh / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file.path, fresh / file.path)
        (fresh / MANIFEST).write_bytes(artifact.encode(manifest))
        artifact.verify(fresh)
        fresh.chmod(0o755)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_index(home: Path, name: str) -> None:
    """List what is really there: folders whose manifest can be read."""
    entries = []
    for path in sorted(home.iterdir()):
        if not artifact.NAME.fullmatch(path.name) or not path.is_dir():
            continue
        try:
            found = artifact.read(path)
        except ArtifactError:
            continue  # not a version; `fetch` says why when somebody asks for it
        entries.append(IndexEntry(found.version, found.digest, found.engine, found.bytes))
    data = msgspec.json.format(msgspec.json.encode(Index(name, entries)), indent=2) + b"\n"
    fresh = home / f".{INDEX}.new"
    fresh.write_bytes(data)
    fresh.rename(home / INDEX)
