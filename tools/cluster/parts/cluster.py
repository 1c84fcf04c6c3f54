"""Starting and ending the cluster from outside.

Enters: built programs and images. Leaves: a running node with everything ready, two relays on
127.0.0.1, a kubeconfig. Called by `cli`.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from parts import addons, images, kubeconfig, pki, programs
from parts.node import READY
from parts.settings import (
    API_PORT,
    BIN,
    CONTEXT,
    HERE,
    HOME,
    INGRESS_NODE_PORT,
    INGRESS_PORT,
    KUBECONFIG,
    LOGS,
    NODE_IP,
    STATE,
)
from parts.shell import ClusterError, kubectl_says, node_pid, running_node, say, wait_for

_NAMESPACES = ("--fork", "--pid", "--net", "--mount", "--mount-proc", "--kill-child")


def build() -> None:
    """Everything that is built once: programs and images."""
    programs.build()
    images.build()
    say(f"built, in {HOME}")


def up() -> None:
    """Start the cluster and wait until everything in it is ready; nothing when it runs."""
    build()
    if node_pid():
        say("already up")
        _tell_kubeconfigs()
        status()
        return
    started = time.monotonic()
    for port in (API_PORT, INGRESS_PORT):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise ClusterError(f"127.0.0.1:{port} is in use")
    for folder in ("kubelet", "etcd", "ipam", "volumes", "pki"):
        shutil.rmtree(STATE / folder, ignore_errors=True)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    pki.make()
    _tell_kubeconfigs()
    pid = _start_node()
    rules = (f"{API_PORT}:{NODE_IP}:6443", f"{INGRESS_PORT}:{NODE_IP}:{INGRESS_NODE_PORT}")
    relay = _background("relay", "relay", str(pid), *rules)
    (HOME / "relay.pid").write_text(str(relay.pid))
    wait_for("the API server", lambda: kubectl_says("get", "--raw", "/readyz") == "ok", 90)
    say(f"API server ready after {time.monotonic() - started:.0f} s")
    images.load(images.all_archives(), pid)
    addons.install_base()
    nodes = ("get", "nodes", "--no-headers")
    wait_for("the node", lambda: " Ready " in kubectl_says(*nodes), 90)
    addons.install()
    say(f"cluster ready after {time.monotonic() - started:.0f} s")
    status()


def down() -> None:
    """End the cluster and everything in it."""
    for name in ("relay", "node"):
        file = HOME / f"{name}.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            if b"rig" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                while Path(f"/proc/{pid}").exists():
                    time.sleep(0.05)
        file.unlink(missing_ok=True)
    kubeconfig.leave()
    for controller in Path("/sys/fs/cgroup").iterdir():
        pods = controller / "kubepods"
        folders = [path for path in pods.rglob("*") if path.is_dir()] if pods.exists() else []
        for folder in sorted(folders, reverse=True):
            # A group that still has a process belongs to somebody else.
            with contextlib.suppress(OSError):
                folder.rmdir()
    say("down")


def status() -> None:
    """Print what runs and how to reach it; ClusterError when the cluster is not up."""
    running_node()
    print(kubectl_says("get", "pods", "-A"))
    print(f"context  {CONTEXT}, the current one of ~/.kube/config and the one of {KUBECONFIG}")
    print(f"programs export PATH={BIN}:$PATH    # kubectl, helm, istioctl")
    print(f"ingress  http://127.0.0.1:{INGRESS_PORT} (by Host header)")
    print(f"logs     {LOGS}")


def _tell_kubeconfigs() -> None:
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(pki.kubeconfig("admin", f"https://127.0.0.1:{API_PORT}"))
    kubeconfig.enter()


def _start_node() -> int:
    command = ["unshare", *_NAMESPACES, sys.executable, str(HERE / "rig"), "node"]
    with (LOGS / "node.log").open("ab") as log:
        unshare = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    pid = 0
    while not pid:
        time.sleep(0.05)
        said = (LOGS / "node.log").read_text()
        if unshare.poll() is not None:
            raise ClusterError(f"the node did not start: {said[-2000:]}")
        pid = int((children.read_text().split() or ["0"])[0])
    (HOME / "node.pid").write_text(str(pid))
    wait_for("the node's network", lambda: READY in (LOGS / "node.log").read_text(), 20)
    return pid


def _background(log: str, *words: str) -> subprocess.Popen[bytes]:
    with (LOGS / f"{log}.log").open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, str(HERE / "rig"), *words],
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
