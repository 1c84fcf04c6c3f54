"""The style sheet, the script and the icon, addressed by their content.

Enters: the package's folder `static`. Leaves: addresses for the templates, and answers that a
browser may keep for ever. Compressed once, at start. Used by `pages` and `routes/asset`.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Final

from starlette.responses import Response

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: plain and compressed bytes, and the hash in its address."""

    name: str
    digest: str
    kind: str
    plain: bytes
    compressed: bytes


class Assets:
    """All files; `track` goes into their addresses, so that each track serves its own."""

    def __init__(self, track: str) -> None:
        self._track = track
        self._files = {asset.name: asset for asset in _load()}
        joined = "".join(asset.digest for _, asset in sorted(self._files.items()))
        self.build = f"{track}-{sha256(joined.encode()).hexdigest()[:12]}"
        """Differs between pages whose style or script differ, or whose track does."""

    def url(self, name: str) -> str:
        """The address of one file; KeyError for an unknown name."""
        return f"/assets/{self._track}/{self._files[name].digest}/{name}"

    def answer(self, digest: str, name: str, accept_encoding: str) -> Response | None:
        """The file, or `None`. Whichever track the address names: what counts is the content."""
        asset = self._files.get(name)
        if asset is None or asset.digest != digest:
            return None
        headers = {
            "cache-control": _IMMUTABLE,
            "content-type": asset.kind,
            "vary": "accept-encoding",
        }
        if _accepts_gzip(accept_encoding):
            return Response(asset.compressed, headers=headers | {"content-encoding": "gzip"})
        return Response(asset.plain, headers=headers)


def _load() -> list[Asset]:
    assets = []
    for path in resources.files("serinus.services.app_frontend").joinpath("static").iterdir():
        kind = _KINDS.get(path.name.rpartition(".")[2])
        if kind is not None:
            plain = path.read_bytes()
            assets.append(
                Asset(
                    path.name,
                    sha256(plain).hexdigest()[:16],
                    kind,
                    plain,
                    gzip.compress(plain, 9, mtime=0),
                )
            )
    return assets


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
