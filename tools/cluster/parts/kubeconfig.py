"""The cluster's context in the user's own kubeconfig, as kind and minikube keep theirs.

Enters: the kubeconfig of the cluster, and the first file of KUBECONFIG, or `~/.kube/config`.
Leaves: that file with the context in it and current, or without it; everything else of it stays.
Called by `cluster`.
"""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from parts.settings import CONTEXT, HOME, KUBECONFIG

_LISTS = ("clusters", "contexts", "users")
_ENTERED = HOME / "entered"
"""The files that hold the context, since KUBECONFIG may be another one when the cluster ends."""


def enter() -> None:
    """Add the context, in place of one of its name, and make it the current one."""
    path = own()
    if path == KUBECONFIG:  # which has nothing else
        return
    ours, config = json.loads(KUBECONFIG.read_text()), _without_ours(path)
    for name in _LISTS:
        config[name] = [*(config.get(name) or ()), *ours[name]]
    config["current-context"] = CONTEXT
    _write(path, {"apiVersion": "v1", "kind": "Config", **config})
    if path not in (entered := _entered()):
        _ENTERED.write_text("".join(f"{item}\n" for item in [*entered, path]))


def leave() -> None:
    """Take the context out, wherever it was entered; a file that held nothing else goes."""
    for path in {*_entered(), own()} - {KUBECONFIG}:
        if path.exists():
            _leave(path)
    _ENTERED.unlink(missing_ok=True)


def own() -> Path:
    """The file that kubectl would write to: the first one of KUBECONFIG, or the home's."""
    named = [name for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return Path(named[0]).absolute() if named else Path("~/.kube/config").expanduser()


def _entered() -> list[Path]:
    return [Path(line) for line in _ENTERED.read_text().splitlines()] if _ENTERED.exists() else []


def _leave(path: Path) -> None:
    config = _without_ours(path)
    if config.get("current-context") == CONTEXT:
        config["current-context"] = ""
    if any(config.get(name) for name in _LISTS):
        _write(path, config)
    else:
        path.unlink()


def _without_ours(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    for name in _LISTS:
        config[name] = [item for item in config.get(name) or () if item["name"] != CONTEXT]
    return config


def _write(path: Path, config: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A link stays a link: its target is what is replaced.
    part = path.resolve().with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(yaml.safe_dump(config, sort_keys=False))
    part.replace(path.resolve())
