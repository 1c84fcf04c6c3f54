"""The cluster's context in the user's own kubeconfig, as kind and minikube keep theirs.

Enters: the kubeconfig of the cluster, `~/.kube/config` where there is one. Leaves: that file with
the context in it and current, or without it; everything else of it stays. Called by `cluster`.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from parts.settings import CONTEXT, KUBECONFIG

_LISTS = ("clusters", "contexts", "users")


def enter(path: Path | None = None) -> None:
    """Add the context, in place of one of its name, and make it the current one."""
    path = path or _own()
    ours, config = json.loads(KUBECONFIG.read_text()), _without_ours(path)
    for name in _LISTS:
        config[name] = [*(config.get(name) or ()), *ours[name]]
    config["current-context"] = CONTEXT
    _write(path, {"apiVersion": "v1", "kind": "Config", **config})


def leave(path: Path | None = None) -> None:
    """Take the context out; a file that held nothing else goes."""
    path = path or _own()
    if not path.exists():
        return
    config = _without_ours(path)
    if config.get("current-context") == CONTEXT:
        config["current-context"] = ""
    if any(config.get(name) for name in _LISTS):
        _write(path, config)
    else:
        path.unlink()


def _own() -> Path:
    return Path("~/.kube/config").expanduser()


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
