"""Writes model artifacts; their format, reading and checking are `serinus.contracts.artifact`.

Enters: the bytes of a trained model and the facts about it. Leaves: a folder that verifies.
Called by training; the format's names are passed on, so that this room has one word for it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from serinus.contracts.artifact import (
    MANIFEST,
    ArtifactFile,
    Manifest,
    decode,
    digest_of,
    encode,
    read,
    sha256_of,
    verify,
)

__all__ = [
    "MANIFEST",
    "ArtifactFile",
    "Manifest",
    "decode",
    "digest_of",
    "encode",
    "read",
    "sha256_of",
    "verify",
    "write",
]


def write(folder: Path, contents: dict[str, bytes], **facts: Any) -> Manifest:
    """Write `contents` (path to bytes) and their manifest into the empty or new `folder`.

    `facts` are the manifest's other fields. Bytes depend on the arguments alone. Raises
    ArtifactError when they do not make a valid manifest.
    """
    files = [
        ArtifactFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in sorted(contents.items())
    ]
    manifest = Manifest(files=files, digest=digest_of(files), **facts)
    # Decoding what was encoded checks names, labels and paths before anything is written.
    decode(encode(manifest), str(folder / MANIFEST))
    for path, data in sorted(contents.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (folder / MANIFEST).write_bytes(encode(manifest))
    return manifest
