"""Where the configuration of a cluster lies; apart, so that asking imports no client.

Enters: the environment. Leaves: paths that exist, and what a context says about Serinus in its
extension `serinus` (`extensions: [{name: serinus, extension: {values: FILE, gateway: HOST:PORT}}]`
beside `cluster` and `user`; kubectl keeps it and reads nothing of it). Called by
`serinus.clients.kubernetes` and by commands that speak to this machine or to a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from serinus.errors import UsageError

DEFAULT: Final = "~/.kube/config"
EXTENSION: Final = "serinus"
_KEYS: Final = ("values", "gateway")


@dataclass(frozen=True, slots=True)
class Extension:
    """What a context says about Serinus.

    `values` is a file below whatever a user gives to `serinus deploy`; `gateway` is the HOST:PORT
    at which this machine reaches the ingress gateway, empty where the cluster tells it; `where` is
    the place of the extension, for errors.
    """

    values: Path | None = None
    gateway: str = ""
    where: str = field(default="", compare=False)


def paths() -> list[Path]:
    """Files that KUBECONFIG names and that exist, in its order."""
    named = os.environ.get("KUBECONFIG") or DEFAULT
    found = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    return [path for path in found if path.is_file()]


def in_pod() -> bool:
    """Does this run in a pod, with an account of its own?"""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def configured() -> bool:
    """Is there anything that names a cluster?"""
    return bool(paths()) or in_pod()


def extension(context: str) -> Extension:
    """What the context of that name says about Serinus; nothing, where it says nothing.

    A relative path of values starts at the kubeconfig's folder. Whether the file is there is asked
    where it is read: what needs no values works without. Raises `UsageError` when the extension is
    not a mapping of known names.
    """
    for path in paths():
        for item in (yaml.safe_load(path.read_text("utf-8")) or {}).get("contexts") or ():
            if item.get("name") == context:
                return _read(path, context, item.get("context") or {})
    return Extension()


def _read(path: Path, context: str, about: Mapping[str, Any]) -> Extension:
    for item in about.get("extensions") or ():
        if item.get("name") != EXTENSION:
            continue
        told, where = item.get("extension"), f"{path}, context {context}, extension {EXTENSION}"
        if not isinstance(told, Mapping) or any(
            not (name in _KEYS and isinstance(value, str)) for name, value in told.items()
        ):
            raise UsageError(
                f"the extension is {told!r}",
                where=where,
                remedy=f"it takes texts named {' and '.join(_KEYS)}",
            )
        values = path.parent / Path(told["values"]).expanduser() if told.get("values") else None
        return Extension(values, told.get("gateway", ""), where)
    return Extension()
