"""Where the configuration of a cluster lies; apart, so that asking imports no client.

Enters: the environment. Leaves: paths that exist. Called by `serinus.clients.kubernetes` and by
commands that speak to this machine or to a cluster.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DEFAULT: Final = "~/.kube/config"


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
