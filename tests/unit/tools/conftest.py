"""The parts of the test cluster, with a folder of their own instead of the real cluster's."""

import importlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CLUSTER = Path(__file__).parents[3] / "tools/cluster"
# Stands in for the node and for the relay, whose namespaces want root: same words, real sockets.
RIG = """
import signal, socket, sys
listeners = []
if sys.argv[1] == "relay":
    for rule in sys.argv[3:]:
        listeners.append(socket.create_server(("127.0.0.1", int(rule.split(":")[0]))))
print("Relaying", flush=True)
signal.pause()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def part(tmp_path, monkeypatch):
    """A function that imports one of them."""
    monkeypatch.syspath_prepend(str(CLUSTER))
    monkeypatch.setenv("SERINUS_CLUSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SERINUS_CLUSTER_API_PORT", str(free_port()))
    monkeypatch.setenv("SERINUS_CLUSTER_INGRESS_PORT", str(free_port()))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name in ("bin", "images", "log", "state", "built"):
        (tmp_path / "home" / name).mkdir(parents=True)

    def forget():
        for name in [name for name in sys.modules if name.partition(".")[0] == "parts"]:
            del sys.modules[name]

    forget()
    yield lambda name: importlib.import_module(f"parts.{name}")
    forget()


@pytest.fixture
def rig(tmp_path):
    """A function that starts the stand-in with some words; its `path` is the program."""
    path = tmp_path / "tools/cluster/rig"
    path.parent.mkdir(parents=True)
    path.write_text(RIG)
    started = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, str(path), *words], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "Relaying\n"
        return process

    start.path = path
    yield start
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that puts a shell script on the PATH, before all others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def write(name, script, folder=folder):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return write
