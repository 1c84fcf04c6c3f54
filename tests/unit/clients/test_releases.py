import json
import os
import signal
import socket
import threading
from contextlib import closing

import helm_python
import pytest
import yaml
from tests.unit.cluster.conftest import Server, connected

from serinus.clients import helm, releases
from serinus.clients.kubernetes import Kubernetes
from serinus.clients.releases import Releases
from serinus.errors import ClusterError, UnreachableError


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def sent(server, monkeypatch, tmp_path):
    """Options that `put` gives to the engine."""
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    releases = Releases(connected(server))
    calls = []

    def call(verb, chart, values, options):
        calls.append((verb, json.loads(values), dict(options)))
        return ""

    monkeypatch.setattr(releases, "_call", call)

    def put(**how):
        releases.put(tmp_path, {"a": 1, "b": None}, **how)
        return calls[-1]

    return put


def test_a_namespace_that_is_there_is_not_created_again(sent, server):
    verb, values, options = sent(first=True)
    assert (verb, values, options["create_namespace"]) == ("helm_install", {"a": 1}, False)
    assert options["replace"] is True
    del server.answers["/api/v1/namespaces/shop"]
    assert sent(first=True)[2]["create_namespace"] is True
    assert sent(first=True, dry_run=True)[2]["create_namespace"] is False


def test_an_upgrade_asks_for_no_namespace_and_keeps_a_history(sent, server):
    verb, _, options = sent(first=False)
    assert (verb, options["max_history"], options["force_conflicts"]) == ("helm_upgrade", 20, True)
    assert "create_namespace" not in options
    assert server.asked == []


def test_revisions_are_readable_with_both_rights_only(server):
    releases = Releases(connected(server))
    assert releases.readable()
    server.forbidden = {("get", "secrets")}
    assert not releases.readable()


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A release at an API server that takes connections (`came`) and never answers."""
    came = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []

    def accept():
        try:
            while True:
                kept.append(listener.accept()[0])
                came.set()
        except OSError:
            return

    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    (tmp_path / "config").write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": address}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "namespace": "shop"}}],
                "current-context": "c",
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    found = Releases(Kubernetes.connect())
    found.came = came
    monkeypatch.setattr(releases, "_LETTING_GO", 0.1)
    with closing(listener):
        yield found
        listener.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()
    thread.join()


def test_an_engine_that_waits_for_a_silent_api_server_is_given_up(silent, monkeypatch):
    monkeypatch.setattr(releases, "ENGINE_SECONDS", 0.5)
    with pytest.raises(UnreachableError, match=r"did not answer[\s\S]*deploy --rollback"):
        silent.put(helm.bundled(), {}, first=False)


def test_an_engine_that_obeys_tells_the_same(silent, monkeypatch):
    monkeypatch.setattr(releases, "ENGINE_SECONDS", 0.0)
    monkeypatch.setattr(releases, "_LETTING_GO", 5.0)
    let_go = threading.Event()

    class Context(helm_python.HelmContext):
        def cancel(self):
            let_go.set()

    monkeypatch.setattr(helm_python, "HelmContext", Context)

    def call(*_):
        let_go.wait()
        raise helm_python.HelmError("context canceled")

    with pytest.raises(UnreachableError, match="did not answer"):
        silent._engine(call)


def test_whatever_the_engine_raises_reaches_the_caller(silent):
    def call(*_):
        raise RecursionError("deep")

    with pytest.raises(RecursionError, match="deep"):
        silent._engine(call)


def test_ctrl_c_ends_an_engine_that_waits(silent, request):
    # A job in the background of a shell is started with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def interrupt():
        silent.came.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        silent.put(helm.bundled(), {}, first=False)


def test_unlocking_says_what_the_engine_said(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    (tmp_path / "config").write_text(
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n"
    )
    with pytest.raises(ClusterError, match=r"release serinus: .*127\.0\.0\.1:1"):
        Releases(Kubernetes.connect()).unlock(1)
