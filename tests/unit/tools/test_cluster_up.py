import json
import socket
from pathlib import Path

import pytest

# The relay outlives the command that starts it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:subprocess:ResourceWarning",
    "ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def cluster(part, rig, program, monkeypatch):
    """`up` without what needs root and half an hour: checks, builds, the true start."""
    cluster = part("cluster")
    monkeypatch.setattr(cluster.machine, "check", lambda: None)
    monkeypatch.setattr(cluster, "_build", lambda: None)
    monkeypatch.setattr(cluster, "HERE", rig.path.parent)
    # The machine's groups may be those of a real cluster.
    monkeypatch.setattr(cluster, "_remove_groups", lambda: None)
    lists = {name: [{"name": cluster.CONTEXT}] for name in ("clusters", "contexts", "users")}
    monkeypatch.setattr(cluster.pki, "kubeconfig", lambda *_: json.dumps(lists))
    cluster.kubectl_is = lambda script: program("kubectl", script, folder=cluster.BIN)
    cluster.kubectl_is("echo ok")
    cluster.starts = []
    start = lambda: cluster.starts.append(noted(cluster, rig("node")))  # noqa: E731
    monkeypatch.setattr(cluster, "_start", start)
    yield cluster
    cluster.down()


def noted(cluster, node, mark=True):
    cluster.process.remember("node", node.pid)
    if mark:
        mark = f"{cluster.process.identity(node.pid)}\n{cluster._made_of()}\n"
        (cluster.HOME / "ready").write_text(mark)
    return node.pid


def test_a_ready_cluster_is_left_alone(cluster, rig, capsys):
    cluster.up()
    assert len(cluster.starts) == 1
    cluster._start_relay(cluster.starts[0])
    relay = cluster.process.running("relay")
    cluster.up()
    assert (len(cluster.starts), cluster.process.running("relay")) == (1, relay)
    said = capsys.readouterr().out
    assert "already up" in said
    assert "anew" not in said
    (cluster.BIN / ".istio").write_text("another digest")
    cluster.up()
    assert "built anew since: `make cluster-down cluster`" in capsys.readouterr().out


def test_a_cluster_that_was_not_started_to_its_end_is_started_anew(cluster, rig, capsys):
    first = noted(cluster, rig("node"), mark=False)
    cluster.status()
    assert "not started to its end" in capsys.readouterr().out
    cluster.up()
    assert len(cluster.starts) == 1
    assert cluster.node_pid() == cluster.starts[0] != first
    assert "ending it and starting anew" in capsys.readouterr().out


def test_the_mark_of_another_node_does_not_count(cluster, rig):
    noted(cluster, rig("node"))
    noted(cluster, rig("node"), mark=False)
    cluster.up()
    assert len(cluster.starts) == 1


def test_a_relay_that_is_gone_is_started_again(cluster, rig, capsys, monkeypatch):
    pid = noted(cluster, rig("node"))
    cluster.status()
    assert "its relay is gone" in capsys.readouterr().out
    cluster.up()
    first = cluster.process.running("relay")
    assert cluster.process.words(first, "relay")[:2] == ["relay", str(pid)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other = probe.getsockname()[1]
    monkeypatch.setattr(cluster, "INGRESS_PORT", other)
    monkeypatch.setattr(cluster.machine, "INGRESS_PORT", other)
    cluster.up()
    assert cluster.process.running("relay") not in {0, first}
    assert cluster.machine.listens(other)
    assert not cluster.starts
    assert capsys.readouterr().out.count("gone: starting another") == 2


def test_a_relay_that_cannot_listen_tells_why(cluster, rig, part, monkeypatch):
    pid = noted(cluster, rig("node"))
    monkeypatch.setattr(cluster.machine, "free_ports", lambda: None)
    error = pytest.raises(part("shell").ClusterError, match=r"(?s)relay did not start.*in use")
    with socket.create_server(("127.0.0.1", cluster.API_PORT)), error:
        cluster._start_relay(pid)


def test_a_port_that_is_taken_is_named_with_its_variable(cluster, part):
    error = pytest.raises(part("shell").ClusterError, match="SERINUS_CLUSTER_INGRESS_PORT names")
    with socket.create_server(("127.0.0.1", cluster.INGRESS_PORT)), error:
        cluster.up()


def test_a_node_without_an_api_server_is_started_anew(cluster, rig, capsys, monkeypatch):
    noted(cluster, rig("node"))
    cluster.kubectl_is("exit 1")
    wait_for = cluster.wait_for
    monkeypatch.setattr(
        cluster, "wait_for", lambda what, ready, _: wait_for(what, ready, seconds=1)
    )
    cluster.up()
    assert len(cluster.starts) == 1
    assert "the API server is not ready" in capsys.readouterr().out


def test_two_at_once_are_refused(cluster, part):
    with cluster._alone(), pytest.raises(part("shell").ClusterError, match="another `rig up`"):
        cluster.up()
    cluster.up()


def test_down_ends_node_and_relay_and_forgets_the_mark(cluster, rig):
    cluster._start_relay(noted(cluster, rig("node")))
    cluster._tell_kubeconfigs()
    config = Path("~/.kube/config").expanduser()
    assert config.exists()
    cluster.down()
    cluster.down()
    assert not config.exists()
    assert sorted(path.name for path in cluster.HOME.iterdir() if path.is_file()) == ["kubeconfig"]
    assert not cluster.machine.listens(cluster.API_PORT)
