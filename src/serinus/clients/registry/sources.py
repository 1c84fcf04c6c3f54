"""Where artifacts come from: a directory, or an http(s) address with the same layout.

Enters: a registry's address. Leaves: streams of its files, and the list of a model's versions.
Used by `cache` and `publish`. Reading only: an http(s) registry is filled by copying a directory.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from serinus.contracts import artifact
from serinus.errors import RegistryError

INDEX: Final = "index.json"
CONNECT_SECONDS: Final = 10.0
"""How long one read from an http(s) registry may stall."""
MAX_INDEX_BYTES: Final = 10_000_000
CHUNK_BYTES: Final = 1 << 20


class IndexEntry(Struct, frozen=True):
    """One published version."""

    version: artifact.Name
    digest: artifact.Digest
    engine: str
    bytes: int


class Index(Struct, frozen=True):
    """`<name>/index.json`: a model's versions, in alphabetical order."""

    name: artifact.Name
    versions: list[IndexEntry]


class MissingError(RegistryError):
    """The registry answers, but does not have the file."""


class Source(Protocol):
    """A place to read artifacts from."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The file's bytes; MissingError, or RegistryError when the registry is out of reach."""


def source(address: str) -> Source:
    """The source for a registry's address: an http(s) address, or a directory."""
    if address.startswith(("http://", "https://")):
        return HttpSource(address)
    if "://" in address:
        raise RegistryError(
            "a registry is a directory or an http(s) address",
            where=address,
            remedy="Give a directory, or an address that starts with http:// or https://.",
        )
    return DirectorySource(Path(address))


class DirectorySource:
    """A registry in the file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Source.chunks`."""
        where = self.root / path
        if not self.root.is_dir():
            raise RegistryError("the registry's directory does not exist", where=str(self.root))
        try:
            with where.open("rb") as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingError("the registry does not have it", where=str(where)) from error
        except OSError as error:
            raise RegistryError(f"cannot read: {error.strerror}", where=str(where)) from error


class HttpSource:
    """A registry behind an http(s) server. Proxies are those of the environment."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `Source.chunks`."""
        where = f"{self.address}/{path}"
        try:
            request = urllib.request.Request(  # noqa: S310  # http(s) by construction
                where, headers={"accept-encoding": "identity", "user-agent": "serinus"}
            )
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as answer:  # noqa: S310
                while chunk := answer.read(CHUNK_BYTES):
                    yield chunk
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    raise MissingError("the registry does not have it", where=where) from error
                raise RegistryError(
                    f"the registry answers {error.code} {error.reason}", where=where
                ) from error
        except urllib.error.URLError as error:
            raise RegistryError(
                f"the registry is out of reach: {error.reason}", where=where
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            detail = str(error) or type(error).__name__
            raise RegistryError(f"the registry broke off: {detail}", where=where) from error


def small(place: Source, path: str, limit: int) -> bytes:
    """A whole file; RegistryError when it has more than `limit` bytes."""
    data = bytearray()
    for chunk in place.chunks(path):
        data += chunk
        if len(data) > limit:
            raise RegistryError(f"the file has more than {limit} bytes", where=path)
    return bytes(data)


def versions(address: str, name: str) -> list[IndexEntry]:
    """The versions of model `name`; empty when the registry has none of it.

    Raises RegistryError when the registry is out of reach or its index is damaged.
    """
    path = f"{name}/{INDEX}"
    if not artifact.NAME.fullmatch(name):
        raise RegistryError(f"not a model's name: {name!r}", where=address)
    try:
        data = small(source(address), path, MAX_INDEX_BYTES)
    except MissingError:
        return []
    try:
        return msgspec.json.decode(data, type=Index).versions
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError(
            f"the index is damaged: {error}",
            where=f"{address}/{path}",
            remedy="Publish any version of the model again: that writes the index anew.",
        ) from error
