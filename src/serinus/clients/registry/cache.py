"""Brings one version of a model from the registry into the model cache.

Enters: registry, name, version, cache. Leaves: a verified folder `<cache>/<name>/<version>`.
Called by model-service at start. Several processes may share the cache: a lock per version, a
folder of its own for each download, and one rename put a version in place whole or not at all.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from serinus.clients.registry import sources
from serinus.clients.registry.lock import exclusive
from serinus.contracts import artifact
from serinus.contracts.artifact import MANIFEST, Manifest
from serinus.errors import ArtifactError, RegistryError

LOCK_SECONDS: Final = 600.0
ATTEMPTS: Final = 2
_LOG = logging.getLogger("serinus.registry")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where the version lies. `result` is what the look-up in the cache met first."""

    folder: Path
    manifest: Manifest
    result: Literal["hit", "miss", "corrupt"]


def fetch(
    registry: str, name: str, version: str, cache: Path, lock_seconds: float = LOCK_SECONDS
) -> Fetched:
    """The version's folder in `cache`, fetched when it is not there or damaged.

    A version in the cache is used without asking the registry. Raises RegistryError when the
    registry is out of reach or does not have the version, ArtifactError when what it delivers
    differs from the manifest twice.
    """
    for value in (name, version):
        if not artifact.NAME.fullmatch(value):
            raise RegistryError(f"not a model's name or version: {value!r}", where=registry)
    folder = cache / name / version
    if (found := _sound(folder, name, version)) is not None:
        return Fetched(folder, found, "hit")
    with exclusive(cache / name / f".{version}.lock", lock_seconds):
        # Another process may have fetched it while this one waited.
        result: Literal["hit", "miss", "corrupt"] = "miss"
        if folder.exists():
            if (found := _sound(folder, name, version)) is not None:
                return Fetched(folder, found, "hit")
            result = "corrupt"
        manifest = _replace(registry, name, version, folder)
        return Fetched(folder, manifest, result)


def _sound(folder: Path, name: str, version: str) -> Manifest | None:
    """The manifest of a folder that verifies; `None`, and a log line, for any other."""
    if not folder.exists():
        return None
    try:
        manifest = artifact.verify(folder)
        _same(manifest, name, version, str(folder))
    except ArtifactError as error:
        _LOG.warning(
            "a cached model is refused", extra={"reason": error.what, "where": error.where}
        )
        return None
    return manifest


def _same(manifest: Manifest, name: str, version: str, where: str) -> None:
    if (manifest.name, manifest.version) != (name, version):
        raise ArtifactError(
            f"the manifest is that of {manifest.name} {manifest.version}, not {name} {version}",
            where=where,
        )


def _replace(registry: str, name: str, version: str, folder: Path) -> Manifest:
    """Download into a folder of its own and rename it to `folder`; the lock is held."""
    prefix = f".{version}.fetch-"
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a process that died while it held the lock
    for attempt in range(1, ATTEMPTS + 1):
        fresh = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            manifest = _download(registry, name, version, fresh)
            fresh.chmod(0o755)  # mkdtemp makes it private; replicas may run as other users
            if folder.exists():
                folder.rename(fresh.with_name(f"{fresh.name}-old"))
            fresh.rename(folder)
            _sync(folder.parent)
        except ArtifactError as error:
            _LOG.warning(
                "a fetched model is refused",
                extra={"reason": error.what, "where": error.where, "attempt": attempt},
            )
            if attempt == ATTEMPTS:
                raise
        except OSError as error:
            raise RegistryError(
                f"cannot write to the model cache: {error.strerror}",
                where=str(folder),
                remedy="The cache needs room and must be writable for this process.",
            ) from error
        else:
            return manifest
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(fresh.with_name(f"{fresh.name}-old"), ignore_errors=True)
    raise AssertionError("unreachable")


def _download(registry: str, name: str, version: str, target: Path) -> Manifest:
    place = sources.source(registry)
    base = f"{name}/{version}"
    where = f"{registry.rstrip('/')}/{base}"
    try:
        data = sources.small(place, f"{base}/{MANIFEST}", artifact.MAX_MANIFEST_BYTES)
    except sources.MissingError as error:
        raise RegistryError(
            f"the registry does not have {name} {version}",
            where=registry,
            remedy=f"It has {_listed(registry, name)}.",
        ) from error
    manifest = artifact.decode(data, f"{where}/{MANIFEST}")
    _same(manifest, name, version, where)
    for file in manifest.files:
        try:
            _copy(place, f"{base}/{file.path}", target / file.path, file)
        except sources.MissingError as error:
            raise ArtifactError(
                "a file of the model is missing", where=f"{where}/{file.path}"
            ) from error
    with (target / MANIFEST).open("xb") as stream:
        stream.write(data)
        os.fsync(stream.fileno())
    return manifest


def _copy(place: sources.Source, path: str, target: Path, file: artifact.ArtifactFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as out:
        for chunk in place.chunks(path):
            size += len(chunk)
            if size > file.bytes:
                break
            digest.update(chunk)
            out.write(chunk)
        os.fsync(out.fileno())
    if size != file.bytes:
        found = f"more than {file.bytes}" if size > file.bytes else str(size)
        raise ArtifactError(
            f"the file is truncated or altered: {found} bytes instead of {file.bytes}", where=path
        )
    if digest.hexdigest() != file.sha256:
        raise ArtifactError("the file is altered: its SHA-256 differs", where=path)


def _listed(registry: str, name: str) -> str:
    """The versions there are, for a message."""
    try:
        found = [entry.version for entry in sources.versions(registry, name)]
    except RegistryError:
        return "no readable index of it"
    return ", ".join(found) or f"no version of {name}"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
