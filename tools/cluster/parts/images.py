"""The images of the cluster's own programs, and those built from a Dockerfile.

Enters: built programs, or a folder with a Dockerfile. Leaves: image archives in IMAGES and
HOME/built, imported into the node when it runs. Called by `rig build`, `rig image`, `rig load`.
"""

import os
import shutil
import subprocess
from pathlib import Path

from parts import machine, programs
from parts.oci import Image, write
from parts.process import inside, node_pid, wait_for
from parts.settings import BIN, CONTAINERD_SOCKET, HOME, IMAGES, REGISTRY, STATE
from parts.shell import ClusterError, run, say, works

_DEBIAN = "python3,python3-venv,python-is-python3,iptables,ca-certificates,iproute2"
_WASTE = (
    "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man",
    "var/log",
)  # fmt: skip


def build() -> None:
    """Archives of every image the cluster needs, over one Debian root made by debootstrap."""
    root = _debian()
    istio = programs.module_directory("istio", "istio.io/istio")
    bootstrap = istio / "tools/packaging/common/envoy_bootstrap.json"
    for image in (
        Image("python", "3.11", base=root),
        Image("pause", "1", ("/pause",), files={"pause": (programs.pause(), 0o755)}),
        Image("coredns", "dev", ("/coredns",), files=_programs("", "coredns")),
        Image("metrics-server", "dev", ("/metrics-server",), files=_programs("", "metrics-server")),
        Image(
            "pilot", "dev", ("/usr/local/bin/pilot-discovery",), root,
            _programs("usr/local/bin/", "pilot-discovery"), user="1337:1337",
        ),
        Image(
            "proxyv2", "dev", ("/usr/local/bin/pilot-agent",), root,
            {
                **_programs("usr/local/bin/", "pilot-agent"),
                "usr/local/bin/envoy": (_envoy(), 0o755),
                "var/lib/istio/envoy/envoy_bootstrap_tmpl.json": (bootstrap, 0o644),
            },
        ),
        Image(
            "install-cni", "dev", ("/usr/local/bin/install-cni",), root,
            {
                **_programs("opt/cni/bin/", "istio-cni"),
                **_programs("usr/local/bin/", "install-cni"),
            },
            directory="/opt/cni/bin",
        ),
        Image("prometheus-operator", "dev", ("/operator",), files=_programs("", "operator")),
        *(
            Image(name, "dev", (f"/bin/{name}",), files=_programs("bin/", name), user=user)
            for name, user in (
                ("prometheus-config-reloader", ""),
                ("prometheus", "65534:65534"),
                ("alertmanager", "65534:65534"),
            )
        ),
    ):  # fmt: skip
        write(image, IMAGES)


def load(archives: list[Path], pid: int) -> None:
    """Import archives (docker-archive or OCI) into the node, those that changed."""
    control = [*inside(pid), "ctr", "--address", CONTAINERD_SOCKET, "-n", "k8s.io"]
    wait_for("containerd", lambda: works(*control, "version"), 60)
    marks = STATE / "imported"
    marks.mkdir(exist_ok=True)
    for archive in archives:
        found = archive.stat()
        mark, stamp = marks / archive.name, f"{found.st_mtime} {found.st_size}"
        if not (mark.exists() and mark.read_text() == stamp):
            try:
                run(*control, "images", "import", archive)
            except ClusterError as problem:
                raise ClusterError(f"{problem}\nremove {archive}: it is made anew then") from None
            mark.write_text(stamp)


def all_archives() -> list[Path]:
    """What a starting node imports."""
    return [*sorted(IMAGES.glob("*.tar")), *sorted((HOME / "built").glob("*.tar"))]


def from_dockerfile(tag: str, directory: str, options: list[str]) -> None:
    """Build a Dockerfile with buildah, without a daemon, and load the image.

    The machine's own package settings and certificates are visible to RUN only.
    """
    store = ["buildah", "--root", str(HOME / "buildah"), "--runroot", "/run/serinus-buildah"]
    store += ["--storage-driver", "vfs"]
    base, stamp, pulled = f"{REGISTRY}/python:3.11", IMAGES / ".python", HOME / ".base"
    if not (stamp.exists() and shutil.which("buildah")):
        raise ClusterError("there is no image to build over yet: `make cluster` first")
    if not works(*store, "inspect", "--type", "image", base) or not (
        pulled.exists() and pulled.read_text() == stamp.read_text()
    ):
        run(*store, "pull", f"oci-archive:{IMAGES}/python.tar")
        pulled.write_text(stamp.read_text())
    named = ("/etc/pip.conf", os.environ.get("PIP_CERT"), os.environ.get("SSL_CERT_FILE"))
    settings = sorted({path for path in named if path and Path(path).is_file()})
    volumes = [word for path in settings for word in ("--volume", f"{path}:{path}:ro")]
    full = tag if "/" in tag else f"{REGISTRY}/{tag}"
    build = [*store, "bud", "--isolation", "chroot", "--build-arg", f"BASE={base}", *volumes]
    done = subprocess.run([*build, *options, "--tag", full, directory], check=False)
    if done.returncode:
        raise ClusterError(f"buildah could not build {full}: exit {done.returncode}")
    target = HOME / "built" / f"{full.replace('/', '_').replace(':', '_')}.tar"
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    run(*store, "push", full, f"docker-archive:{part}:{full}")
    part.rename(target)
    say(f"{full} is {target.stat().st_size / 1e6:.0f} MB in {target}")
    if pid := node_pid():
        load([target], pid)


def _programs(folder: str, *names: str) -> dict[str, tuple[Path, int]]:
    return {f"{folder}{name}": (BIN / name, 0o755) for name in names}


def _debian() -> Path:
    root, stamp = HOME / "debian.tar", HOME / ".debian"
    inputs = f"{_DEBIAN}\n{_WASTE}\n"
    if not (root.exists() and stamp.exists() and stamp.read_text() == inputs):
        say("making the Debian base")
        folder, part = HOME / "debian", HOME / "debian.tar.part"
        shutil.rmtree(folder, ignore_errors=True)
        packages = f"--include={_DEBIAN}"
        run("debootstrap", "--variant=minbase", packages, machine.RELEASE, folder, machine.mirror())
        for waste in _WASTE:
            shutil.rmtree(folder / waste, ignore_errors=True)
            (folder / waste).mkdir(parents=True)
        (folder / "etc/apt/sources.list").write_text("")
        run("tar", "--numeric-owner", "-C", folder, "-cf", part, ".")
        part.rename(root)
        stamp.write_text(inputs)
        shutil.rmtree(folder)
    return root


def _envoy() -> Path:
    """The Envoy of the project's environment."""
    import envoy  # only needed to build images

    return Path(envoy.__file__).parent / "_bin" / "envoy"
