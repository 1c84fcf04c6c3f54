"""Normalises a request's path as Envoy does before it chooses a route.

Enters: a path as the client wrote it. Leaves: the path that rules see. Called by
`serinus.mesh.explain`. Istio's default: a fragment is taken off, dot segments are resolved and
escapes of unreserved characters undone; escaped slashes stay, repeated slashes too.
"""

from __future__ import annotations

import re
from typing import Final

_UNRESERVED: Final = re.compile(r"%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
_ESCAPED: Final = re.compile(r'["<>^`{|}]')
_PARAMETERS: Final = re.compile(r"(^|/)(\.{1,2});[^/]*")


def normalise(target: str) -> str | None:
    """The path without its query; None when Envoy answers 400."""
    # Istio has Envoy take a fragment off, which Envoy by itself refuses.
    path = target.partition("#")[0].partition("?")[0]
    if not path.startswith("/") or "%00" in path or not path.isascii():
        return None
    path = _PARAMETERS.sub(r"\1\2", path.replace("\\", "/"))
    path = _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)
    path = _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", path)
    return _without_dots(path)


def _without_dots(path: str) -> str:
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
