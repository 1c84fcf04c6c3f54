"""Process 1 of the node, inside its own namespaces.

Enters: nothing; it is started by `cluster.up` through unshare. Leaves: every component running,
restarted when it ends, until the process itself is ended, which ends all of them.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from parts import components
from parts.settings import BIN, LOGS, NODE_IP, PKI, VISITORS
from parts.shell import run

READY = "Visitors can come"
"""Printed when the networks of node and visitors are up."""


def main() -> None:
    """Prepare mounts and networks, start every component, restart what ends, reap."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("mount", "--make-rshared", "/")
    Path("/run/serinus-cluster").mkdir()
    Path("/run/netns").mkdir()
    _network()
    print(READY, flush=True)
    components.write_configuration()
    commands = components.commands()
    path = f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(PKI / "admin.conf")}
    running: dict[int, str] = {}

    def start(name: str) -> None:
        with (LOGS / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                commands[name], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment
            )
        running[process.pid] = name

    for name in commands:
        start(name)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        pid, _ = os.wait()
        if name := running.pop(pid, ""):
            time.sleep(1)  # a component that ends at once must not become a busy loop
            start(name)


def _network() -> None:
    """The node's address, a second host for visitors beside it, forwarding."""
    visitors = ("-n", "visitors")
    for words in (
        ("link", "set", "lo", "up"),
        ("netns", "add", "visitors"),
        ("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "visitors"),
        ("addr", "add", f"{NODE_IP}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "dev", "eth0"),
        *((*visitors, "addr", "add", f"{address}/24", "dev", "eth0") for address in VISITORS),
        (*visitors, "link", "set", "lo", "up"),
        (*visitors, "link", "set", "eth0", "up"),
        (*visitors, "route", "add", "default", "via", NODE_IP),
    ):
        run("ip", *words)
    for key in (
        "net/ipv4/ip_forward",
        "net/ipv4/conf/all/route_localnet",
        "net/bridge/bridge-nf-call-iptables",
    ):
        path = Path("/proc/sys") / key
        if path.exists():
            path.write_text("1")
