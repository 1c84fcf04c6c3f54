"""Processes that a killed supervisor left behind.

Enters: the record of started processes. Leaves: nothing running. Called by `serinus.local.session`
when no supervisor holds the directory. A process is ours when its id and start time are recorded,
or its environment names this state directory; nothing else is ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Final

import psutil

from serinus.local.workspace import RUN_VARIABLE, Workspace

GRACE: Final = 10.0
"""Seconds between SIGTERM and SIGKILL."""


def end(workspace: Workspace) -> int:
    """End what is left of a run; returns how many processes there were."""
    found = _ours(workspace)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(found, timeout=GRACE)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE)
    workspace.record([])
    shutil.rmtree(workspace.path("pods"), ignore_errors=True)
    return len(found)


def end_supervisor(workspace: Workspace) -> None:
    """Kill a supervisor that doesn't answer, by the process id it wrote."""
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(workspace.path("supervisor.pid").read_text())
        if "serinus.local.daemon" in " ".join(psutil.Process(pid).cmdline()):
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(psutil.TimeoutExpired):
                psutil.Process(pid).wait(5)


def _ours(workspace: Workspace) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for item in workspace.recorded():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(item.pid)
            if abs(process.create_time() - item.started) < 0.1:
                found[item.pid] = process
    marker = f"{RUN_VARIABLE}={workspace.root}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError, psutil.Error):
            if marker in path.read_bytes().split(b"\0"):
                pid = int(path.parent.name)
                if pid != os.getpid():
                    found.setdefault(pid, psutil.Process(pid))
    return list(found.values())
