"""What this machine must be and have for the cluster, asked before anything is built.

Enters: the machine. Leaves: `ClusterError` that names all that is missing, each with its remedy.
Called by `cluster` and `cli`.
"""

import os
import platform
import re
import socket
import subprocess
from pathlib import Path

from parts.settings import API_PORT, ARCHITECTURES, INGRESS_PORT, MODULES
from parts.shell import ClusterError, run, works

GO = (1, 26)
RELEASE = "bookworm"
"""Of Debian, for the machine and the images."""
_BRIDGE = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def check() -> None:
    """All that building and running need of the machine."""
    missing = [text for text in (_root(), _architecture(), _debian(), _go()) if text]
    if missing:
        raise ClusterError("this machine can't run the cluster:\n" + "\n".join(missing))


def need_root() -> None:
    """For the commands that touch the node."""
    if problem := _root():
        raise ClusterError(problem)


def mirror() -> str:
    """The machine's own Debian mirror: whatever apt is set up with; empty where it has none."""
    sources = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)")
    for line in sources.splitlines():
        uri, *rest = line.split()
        if rest == [RELEASE, "main"]:
            return uri
    return ""


def free_ports() -> None:
    """ClusterError when somebody listens where the relay will."""
    for port, name in ((API_PORT, "API"), (INGRESS_PORT, "INGRESS")):
        if listens(port):
            variable = f"SERINUS_CLUSTER_{name}_PORT"
            raise ClusterError(
                f"127.0.0.1:{port} is in use; {variable} names another port, for the commands "
                "that follow too"
            )


def listens(port: int) -> bool:
    """Whether something answers at that port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def load_modules() -> None:
    """The kernel's modules that nothing else loads; ClusterError without the needed one."""
    for module in ("br_netfilter", "overlay"):
        works("/sbin/modprobe", module)  # in vain where it is built in
    if not _BRIDGE.exists():
        raise ClusterError(
            f"there is no {_BRIDGE}: pods of one node could not reach a Service. Load the kernel's "
            "module with `modprobe br_netfilter`; for a container, on its host"
        )


def _root() -> str:
    return "" if os.geteuid() == 0 else "root is needed: run it as root or with sudo"


def _architecture() -> str:
    found = platform.machine()
    known = " or ".join(ARCHITECTURES)
    return "" if found in ARCHITECTURES else f"a processor of {known} is needed: this is {found}"


def _debian() -> str:
    wanted = f"Debian 12 ({RELEASE})"
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        found = {}
    if found.get("VERSION_CODENAME") != RELEASE:
        return f"{wanted} is needed: this is {found.get('PRETTY_NAME', 'another system')}"
    try:
        source = mirror()
    except ClusterError as problem:
        return f"{wanted} is needed: {problem}"
    return "" if source else f"{wanted} is needed among the package sources of apt"


def _go() -> str:
    wanted = f"Go {GO[0]}.{GO[1]} or newer is needed (https://go.dev/dl)"
    try:
        # In a module's folder, where an older Go takes the newer one that it may fetch.
        where = MODULES / "kubernetes"
        done = subprocess.run(
            ["go", "version"], cwd=where, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return f"{wanted}: there is no `go` on the PATH"
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    if done.returncode or not found or (int(found[1]), int(found[2])) < GO:
        return f"{wanted}: {(done.stdout or done.stderr).strip()}"
    return ""
