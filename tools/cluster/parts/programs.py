"""Builds the cluster's programs from their Go modules, and installs Debian's parts.

Enters: `modules/*/go.mod`. Leaves: programs in BIN; a stamp per module holds the digest of its
files, so nothing is compiled again until they change. Called by `rig build` and `rig up`.
"""

import hashlib
import json
import os
import time
from pathlib import Path

from parts.settings import BIN, HOME, IMAGES, LOGS, MODULES, STATE
from parts.shell import ClusterError, run, say, works

PACKAGES = (
    "containerd", "runc", "containernetworking-plugins", "iptables", "iproute2", "conntrack",
    "ipset", "socat", "debootstrap", "buildah", "kmod", "openssl",
)  # fmt: skip
PROGRAMS = {  # module folder: programs it builds
    "kubernetes": ("cluster",),
    "istio": ("pilot-discovery", "pilot-agent", "istioctl", "install-cni", "istio-cni"),
    "dns": ("coredns",),
    "operator": ("operator", "prometheus-config-reloader"),
    "metrics": ("metrics-server",),
    "prometheus": ("prometheus", "alertmanager"),
    "helm": ("helm",),
}
COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet",
    "kubectl",
)  # fmt: skip
"""Names by which the one Kubernetes program is called."""
PAUSE = """package main

import (
\t"os"
\t"os/signal"
\t"syscall"
)

func main() {
\tend := make(chan os.Signal, 1)
\tsignal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
\t<-end
}
"""


def build() -> None:
    """Install Debian's packages and build every module that changed."""
    for folder in (BIN, IMAGES, STATE, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not works("dpkg", "-s", name)]
    if missing:
        say(f"installing {' '.join(missing)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, env=quiet)
    for folder in PROGRAMS:
        _build_module(folder)


def built() -> bool:
    """Whether the cluster's own program is there."""
    return (BIN / ".kubernetes").exists()


def module_directory(folder: str, module: str) -> Path:
    """Where Go keeps the source of `module`, at the version that `modules/<folder>` names.

    Go unpacks it again where its cache was emptied since the programs were built.
    """
    source = MODULES / folder
    if found := run("go", "list", "-m", "-f", "{{.Dir}}", module, cwd=source).strip():
        return Path(found)
    try:
        return Path(json.loads(run("go", "mod", "download", "-json", module, cwd=source))["Dir"])
    except (ClusterError, ValueError, KeyError) as problem:
        raise ClusterError(
            f"Go has no source of {module} any more and can't get it: {problem}\n"
            f"once `go mod download` works in {source}, do the same again"
        ) from None


def pause() -> Path:
    """The program that holds a pod's namespaces open."""
    program = BIN / "pause"
    if not program.exists():
        source = HOME / "pause.go"
        source.write_text(PAUSE)
        static = {**os.environ, "CGO_ENABLED": "0"}
        run("go", "build", "-ldflags", "-s -w", "-o", program, source, env=static)
    return program


def _build_module(folder: str) -> None:
    source, programs = MODULES / folder, PROGRAMS[folder]
    stamp = BIN / f".{folder}"
    content = b"".join(file.read_bytes() for file in sorted(source.iterdir()))
    digest = hashlib.sha256(content).hexdigest()
    complete = all((BIN / program).exists() for program in programs)
    if complete and stamp.exists() and stamp.read_text() == digest:
        return
    say(f"building {', '.join(programs)} (minutes the first time)")
    started = time.monotonic()
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
    flags = " ".join(("-s", "-w", *_versions(folder, source)))
    if folder == "kubernetes":
        run("go", "build", "-ldflags", flags, "-o", BIN / "cluster", ".", cwd=source, env=env)
        for name in COMPONENTS:
            (BIN / name).unlink(missing_ok=True)
            (BIN / name).symlink_to("cluster")
    else:
        run("go", "build", "-ldflags", flags, "-o", f"{BIN}/", "tool", cwd=source, env=env)
    stamp.write_text(digest)
    say(f"built {', '.join(programs)} in {time.monotonic() - started:.0f} s")


def _versions(folder: str, source: Path) -> list[str]:
    """Linker flags that tell a program its version, which its own build scripts would."""

    def version(module: str) -> str:
        return run("go", "list", "-m", "-f", "{{.Version}}", module, cwd=source).strip()

    if folder == "kubernetes":
        whole = version("k8s.io/kubernetes")
        major, minor, _ = whole.lstrip("v").split(".")
        base = "k8s.io/component-base/version"
        values = {
            f"{base}.gitVersion": whole, f"{base}.gitMajor": major, f"{base}.gitMinor": minor,
            "k8s.io/client-go/pkg/version.gitVersion": whole,
        }  # fmt: skip
    elif folder == "helm":
        values = {"helm.sh/helm/v3/internal/version.version": version("helm.sh/helm/v3")}
    elif folder == "istio":
        base = "istio.io/istio/pkg/version"
        values = {
            f"{base}.buildVersion": "1.32-dev", f"{base}.buildHub": "serinus.test",
            f"{base}.buildTag": "dev",
        }  # fmt: skip
    else:
        values = {}
    return [f"-X {name}={value}" for name, value in values.items()]
