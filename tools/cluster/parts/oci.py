"""Writes OCI image archives without a container tool.

Enters: a base layer, files, and what to run. Leaves: a tar archive that containerd imports. Called
by `images`.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parts.settings import ARCHITECTURES, REGISTRY

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cni/bin"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """One image to be. `files` maps a path inside to its source and mode."""

    name: str
    tag: str
    entrypoint: tuple[str, ...] = ()
    base: Path | None = None
    files: Mapping[str, tuple[Path, int]] = field(default_factory=dict)
    user: str = ""
    directory: str = "/"

    def inputs(self) -> str:
        """What the archive depends on, as text: unchanged inputs need no new archive."""
        files = {
            path: [str(source), source.stat().st_mtime, source.stat().st_size]
            for path, (source, _) in self.files.items()
        }
        base = self.base and self.base.stat().st_mtime
        return json.dumps([list(self.entrypoint), self.user, self.directory, base, files])


def write(image: Image, folder: Path) -> None:
    """Write `folder/<name>.tar` unless the image's inputs are unchanged."""
    target, stamp = folder / f"{image.name}.tar", folder / f".{image.name}"
    if target.exists() and stamp.exists() and stamp.read_text() == image.inputs():
        return
    layers = [image.base] if image.base else []
    own = folder / f"{image.name}.layer"
    if image.files:
        _write_layer(own, image.files)
        layers.append(own)
    part = folder / f"{image.name}.part"
    _write_archive(part, image, layers)
    part.rename(target)
    own.unlink(missing_ok=True)
    stamp.write_text(image.inputs())


def _write_layer(path: Path, files: Mapping[str, tuple[Path, int]]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, (source, mode) in files.items():
            entry = tar.gettarinfo(source, arcname=name)
            entry.mode, entry.uid, entry.gid = mode, 0, 0
            entry.type, entry.linkname = tarfile.REGTYPE, ""
            entry.size = source.stat().st_size
            with source.open("rb") as data:
                tar.addfile(entry, data)


def _write_archive(path: Path, image: Image, layers: list[Path]) -> None:
    digests = [_file_digest(layer) for layer in layers]
    config = _json(
        {
            "architecture": ARCHITECTURES[platform.machine()],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            "config": {
                "Entrypoint": list(image.entrypoint),
                "User": image.user,
                "WorkingDir": image.directory,
                "Env": [_PATH],
            },
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [
                {"mediaType": _LAYER, "digest": f"sha256:{digest}", "size": layer.stat().st_size}
                for digest, layer in zip(digests, layers, strict=True)
            ],
        }
    )
    names = {
        "io.containerd.image.name": f"{REGISTRY}/{image.name}:{image.tag}",
        "org.opencontainers.image.ref.name": image.tag,
    }
    index = {
        "schemaVersion": 2,
        "manifests": [{**_descriptor(_MANIFEST, manifest), "annotations": names}],
    }
    with tarfile.open(path, "w") as tar:
        for blob in (config, manifest):
            _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        for digest, layer in zip(digests, layers, strict=True):
            tar.add(layer, arcname=f"blobs/sha256/{digest}")
        _add(tar, "index.json", _json(index))
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _file_digest(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
