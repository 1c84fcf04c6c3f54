"""Where the configuration of a cluster lies; apart, so that asking imports no client.

Enters: the environment. Leaves: paths that exist, their contents merged as kubectl does it, and
what a context says about Serinus in its extension `serinus`
(`extensions: [{name: serinus, extension: {values: FILE, gateway: HOST:PORT}}]` beside `cluster` and
`user`; kubectl keeps it and reads nothing of it). Called by `serinus.clients.kubernetes` and by
commands that speak to this machine or to a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from serinus.errors import ClusterError, UsageError

DEFAULT: Final = "~/.kube/config"
EXTENSION: Final = "serinus"
_KEYS: Final = ("values", "gateway")
_PARTS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
_PATHS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Of a cluster or a user; a relative one starts at the folder of its file."""


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


def merged() -> dict[str, Any]:
    """All files as one, as kubectl merges them: what comes first stays.

    Raises `ClusterError` naming the file that cannot be read.
    """
    whole: dict[str, Any] = {"current-context": None, **{part: {} for part in _PARTS}}
    for path in paths():
        told = _mapping(path)
        whole["current-context"] = whole["current-context"] or told.get("current-context")
        for part in _PARTS:
            for name, about in _named(path, told, part).items():
                whole[part].setdefault(name, about)
    return {
        "current-context": whole["current-context"],
        **{
            part: [{"name": name, inner: about} for name, about in whole[part].items()]
            for part, inner in _PARTS.items()
        },
    }


def extension(context: str) -> Extension:
    """What the context of that name says about Serinus; nothing, where it says nothing.

    A relative path of values starts at the kubeconfig's folder. Whether the file is there is asked
    where it is read: what needs no values works without. Raises `ClusterError` naming the file that
    cannot be read, and `UsageError` when the extension is not a mapping of known names.
    """
    for path in paths():
        if about := _named(path, _mapping(path), "contexts").get(context):
            return _read(path, context, about)
    return Extension()


def _mapping(path: Path) -> dict[str, Any]:
    remedy = "set KUBECONFIG to another file, or remove it from there"
    try:
        told = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ClusterError(f"cannot be read: {error}", where=str(path), remedy=remedy) from error
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise ClusterError("is no kubeconfig: it is no mapping", where=str(path), remedy=remedy)
    return told


def _named(path: Path, told: Mapping[str, Any], part: str) -> dict[str, dict[str, Any]]:
    """Clusters, contexts or users of one file by name, with paths that hold anywhere."""
    inner = _PARTS[part]
    found: dict[str, dict[str, Any]] = {}
    try:
        for item in told.get(part) or ():
            about = {**(item[inner] or {})}
            for key in _PATHS:
                if about.get(key):
                    about[key] = str(path.absolute().parent / about[key])
            plugin = about.get("exec")
            if plugin and os.sep in plugin["command"]:
                command = str(path.absolute().parent / plugin["command"])
                about["exec"] = {**plugin, "command": command}
            found.setdefault(item["name"], about)
    except (KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"{part} must be a list of a name and a {inner} each",
            where=str(path),
            remedy="`kubectl config view` reads it too, and says where it is wrong",
        ) from error
    return found


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
