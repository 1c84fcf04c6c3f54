"""The cluster's two processes as seen from outside: the node and the relay.

Enters: `HOME/<name>.pid`, a process with the time of its start, since numbers return. Leaves:
whether it runs, its words, its end. Used by `cluster`, `images` and `cli`.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from parts.settings import HOME, LOGS
from parts.shell import ClusterError

_COMMAND = "tools/cluster/rig"


def identity(pid: int) -> str:
    """Number and start of a process; empty when it has ended, even if nobody has reaped it."""
    try:
        # The second field is a name in brackets, which may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{pid} {fields[19]}"


def words(pid: int, name: str) -> list[str]:
    """What `rig NAME ...` was called with, if that is what the process is; else nothing."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except (OSError, UnicodeDecodeError):
        return []
    ours = len(command) > 2 and command[1].endswith(_COMMAND) and command[2] == name
    return command[2:] if ours else []


def remember(name: str, pid: int) -> None:
    """Note the process that is the node or the relay from now on."""
    (HOME / f"{name}.pid").write_text(identity(pid))


def running(name: str) -> int:
    """The process that was noted, if it still is that one; else 0."""
    try:
        noted = (HOME / f"{name}.pid").read_text()
        pid = int(noted.split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    # Of a cluster that an older rig started, only the number was noted.
    same = noted.strip() in {str(pid), identity(pid)}
    return pid if same and identity(pid) and words(pid, name) else 0


def end(name: str, seconds: float = 60) -> None:
    """Kill the noted process and wait for its end; ClusterError when it stays."""
    pid = running(name)
    if pid:
        noted, deadline = identity(pid), time.monotonic() + seconds
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while identity(pid) == noted:
            if time.monotonic() > deadline:
                raise ClusterError(f"process {pid}, the {name}, did not end within {seconds:.0f} s")
            time.sleep(0.05)
    (HOME / f"{name}.pid").unlink(missing_ok=True)


def node_pid() -> int:
    """The node's process 1 as seen from outside; 0 when there is none."""
    return running("node")


def running_node() -> int:
    """The node's process 1; ClusterError when the cluster is not up."""
    pid = node_pid()
    if not pid:
        raise ClusterError("the cluster is not up; start it with `make cluster`")
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
