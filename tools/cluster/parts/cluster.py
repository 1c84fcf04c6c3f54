"""Starting and ending the cluster from outside.

Enters: built programs and images. Leaves: a running node with everything ready, two relays on
127.0.0.1, a kubeconfig. Called by `cli`.
"""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from parts import addons, images, kubeconfig, machine, pki, process, programs, relay
from parts.node import READY
from parts.process import node_pid, running_node, wait_for
from parts.settings import (
    API_PORT,
    BIN,
    CONTEXT,
    HERE,
    HOME,
    IMAGES,
    INGRESS_NODE_PORT,
    INGRESS_PORT,
    KUBECONFIG,
    LOGS,
    NODE_IP,
    STATE,
)
from parts.shell import ClusterError, kubectl_says, say

_NAMESPACES = ("--fork", "--pid", "--net", "--mount", "--mount-proc", "--kill-child")
_MARK = HOME / "ready"
"""Written when everything was ready: which node it was, and a digest of what it was made of."""


def build() -> None:
    """Everything that is built once: programs and images."""
    machine.check()
    with _alone():
        _build()


def up() -> None:
    """Start the cluster and wait until everything in it is ready; nothing when it is.

    A relay that is gone is started again; a node that was not started to its end, or whose API
    server is gone, is ended first.
    """
    machine.check()
    with _alone():
        if not node_pid():
            process.end("relay")
            machine.free_ports()
        _build()
        if node_pid() and not _repaired():
            down()
        if node_pid():
            say("already up")
            if _made_of() not in _MARK.read_text().splitlines():
                say("its programs or images were built anew since: `make cluster-down cluster`")
        else:
            _start()
    status()


def down() -> None:
    """End the cluster and everything in it."""
    _MARK.unlink(missing_ok=True)
    # The relay ends by itself after the node.
    process.end("node")
    process.end("relay")
    kubeconfig.leave()
    _remove_groups()
    say("down")


def status() -> None:
    """Print what runs and how to reach it; ClusterError when the cluster is not up."""
    pid = running_node()
    print(kubectl_says("get", "pods", "-A"))
    if not _marked(pid):
        print("state    not started to its end: `make cluster` starts it anew")
    elif not process.running("relay"):
        print("state    its relay is gone: `make cluster` starts another")
    print(f"context  {CONTEXT}, the current one of {kubeconfig.own()} and of {KUBECONFIG}")
    print(f"programs export PATH={BIN}:$PATH    # kubectl, helm, istioctl")
    print(f"ingress  http://127.0.0.1:{INGRESS_PORT} (by Host header)")
    print(f"logs     {LOGS}")


def _build() -> None:
    programs.build()
    images.build()
    say(f"built, in {HOME}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """The only one that builds or starts; the lock goes with its process."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(f"another `rig up` or `rig build` is at work in {HOME}") from None
        yield


def _remove_groups() -> None:
    for controller in Path("/sys/fs/cgroup").iterdir():
        pods = controller / "kubepods"
        folders = [path for path in pods.rglob("*") if path.is_dir()] if pods.exists() else []
        for folder in sorted(folders, reverse=True):
            # A group that still has a process belongs to somebody else.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _start() -> None:
    started = time.monotonic()
    _MARK.unlink(missing_ok=True)
    machine.load_modules()
    for folder in ("kubelet", "etcd", "ipam", "volumes", "pki"):
        shutil.rmtree(STATE / folder, ignore_errors=True)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    pki.make()
    _tell_kubeconfigs()
    pid = _start_node()
    _start_relay(pid)
    wait_for("the API server", _answers, 90)
    say(f"API server ready after {time.monotonic() - started:.0f} s")
    images.load(images.all_archives(), pid)
    addons.install_base()
    nodes = ("get", "nodes", "--no-headers")
    wait_for("the node", lambda: " Ready " in kubectl_says(*nodes), 90)
    addons.install()
    _MARK.write_text(f"{process.identity(pid)}\n{_made_of()}\n")
    say(f"cluster ready after {time.monotonic() - started:.0f} s")


def _repaired() -> bool:
    """Whether the node that runs can stay, with another relay if need be."""
    pid = node_pid()
    if not _marked(pid):
        say("the cluster that runs was not started to its end: ending it and starting anew")
        return False
    _tell_kubeconfigs()
    found = process.running("relay")
    wanted = ["relay", *_relay_words(pid)]
    if not (
        found
        and process.words(found, "relay") == wanted
        and machine.listens(API_PORT)
        and machine.listens(INGRESS_PORT)
    ):
        say("the relay from 127.0.0.1 into the cluster is gone: starting another")
        _start_relay(pid)
    try:
        wait_for("the API server", _answers, 20)
    except ClusterError as problem:
        say(f"{problem}; ending the cluster and starting anew")
        return False
    return True


def _marked(pid: int) -> bool:
    try:
        return _MARK.read_text().splitlines()[:1] == [process.identity(pid)]
    except OSError:
        return False


def _made_of() -> str:
    """A digest of the programs and images as they are now, by their stamps."""
    stamps = sorted((*BIN.glob(".*"), *IMAGES.glob(".*")))
    return hashlib.sha256(b"".join(stamp.read_bytes() for stamp in stamps)).hexdigest()


def _answers() -> bool:
    return kubectl_says("get", "--raw", "/readyz", "--request-timeout=5s").strip() == "ok"


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
    try:
        # At first it is unshare's own copy, under that name.
        while not process.words(pid, "node"):
            time.sleep(0.05)
            said = (LOGS / "node.log").read_text()
            if unshare.poll() is not None:
                raise ClusterError(f"the node did not start: {said[-2000:]}")
            with contextlib.suppress(OSError):
                pid = int((children.read_text().split() or ["0"])[0])
    except BaseException:
        unshare.kill()  # with it a node that nobody has noted
        raise
    process.remember("node", pid)
    wait_for("the node's network", lambda: READY in (LOGS / "node.log").read_text(), 20)
    return pid


def _relay_words(pid: int) -> list[str]:
    gateway = f"{INGRESS_PORT}:{NODE_IP}:{INGRESS_NODE_PORT}"
    return [str(pid), f"{API_PORT}:{NODE_IP}:6443", gateway]


def _start_relay(pid: int) -> None:
    """Start it in place of one that is noted, and wait until it listens."""
    process.end("relay")
    machine.free_ports()
    with (LOGS / "relay.log").open("ab") as log:
        before = log.tell()
        started = subprocess.Popen(
            [sys.executable, str(HERE / "rig"), "relay", *_relay_words(pid)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    process.remember("relay", started.pid)

    def listens() -> bool:
        said = (LOGS / "relay.log").read_bytes()[before:].decode(errors="replace")
        if started.poll() is not None:
            raise ClusterError(f"the relay did not start: {said[-2000:]}")
        return relay.READY in said

    wait_for("the relay", listens, 20)
