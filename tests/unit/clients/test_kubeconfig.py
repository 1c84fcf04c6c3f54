from pathlib import Path

import pytest
import yaml

from serinus.clients import kubeconfig
from serinus.clients.kubernetes import Kubernetes
from serinus.errors import ClusterError, UsageError


@pytest.fixture
def configured(tmp_path, monkeypatch):
    def write(told):
        context = {"cluster": "c", "extensions": [{"name": "serinus", "extension": told}]}
        path = tmp_path / "config"
        path.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                    "contexts": [
                        {"name": "plain", "context": {"cluster": "c"}},
                        {"name": "ours", "context": context},
                    ],
                    "current-context": "ours",
                }
            )
        )
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{path}")
        return path

    return write


def test_a_context_may_name_values_and_a_gateway(configured, tmp_path):
    (tmp_path / "values.yaml").write_text("a: 1\n")
    configured({"values": "values.yaml", "gateway": "127.0.0.1:18080"})
    found = Kubernetes.connect().extension
    assert found == kubeconfig.Extension(tmp_path / "values.yaml", "127.0.0.1:18080")
    assert Kubernetes.connect("plain").extension == kubeconfig.Extension()


@pytest.mark.parametrize("told", [{"valeus": "x"}, {"gateway": 80}, ["values"], "values"])
def test_what_an_extension_may_not_say_is_told(configured, told):
    path = configured(told)
    with pytest.raises(UsageError, match=rf"{path}, context ours[\s\S]*values and gateway"):
        Kubernetes.connect()


def test_values_that_are_not_there_stop_no_connection(configured):
    """An abort at night reads no values: a file that was moved must not stop it."""
    path = configured({"values": "/nowhere/values.yaml", "gateway": "127.0.0.1:18080"})
    found = Kubernetes.connect().extension
    assert (str(found.values), found.gateway) == ("/nowhere/values.yaml", "127.0.0.1:18080")
    assert found.where == f"{path}, context ours, extension serinus"


def test_the_test_clusters_values_are_where_its_context_says():
    root = Path(__file__).parents[3]
    assert (root / "tests/cluster/values.yaml").is_file()


def test_files_are_merged_with_their_paths_and_the_first_stays(tmp_path, monkeypatch):
    for name, certificate in (("a", "ca.crt"), ("b", "ca.crt"), ("c", "/etc/ca.crt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config").write_text(
            f"clusters: [{{name: {name}, cluster: {{certificate-authority: {certificate}}}}},"
            f" {{name: all, cluster: {{server: http://{name}}}}}]\ncontexts: null\n"
        )
    (tmp_path / "current").write_text(
        "current-context: there\nusers: [{name: u, user: {exec: {command: bin/plugin}}},"
        " {name: v, user: {exec: {command: plugin}}}]\n"
    )
    (tmp_path / "empty").write_text("")
    files = (
        *(tmp_path / name / "config" for name in "abc"),
        tmp_path / "current",
        tmp_path / "empty",
    )
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    found = kubeconfig.merged()
    clusters = {item["name"]: item["cluster"] for item in found["clusters"]}
    assert clusters == {
        "a": {"certificate-authority": f"{tmp_path}/a/ca.crt"},
        "b": {"certificate-authority": f"{tmp_path}/b/ca.crt"},
        "c": {"certificate-authority": "/etc/ca.crt"},
        "all": {"server": "http://a"},
    }
    assert (found["current-context"], found["contexts"]) == ("there", [])
    commands = [item["user"]["exec"]["command"] for item in found["users"]]
    assert commands == [f"{tmp_path}/bin/plugin", "plugin"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"- a", "is no mapping"),
        (b"clusters: [", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"clusters: [a]", "clusters must be a list of a name and a cluster"),
        (b"users: {a: b}", "users must be a list of a name and a user"),
        (b"contexts: [{name: a}]", "contexts must be a list"),
        (b"contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a", "there is no 'c'"),
        (
            b"contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a\n"
            b"clusters: [{name: c, cluster: {server: 'http://a', insecure-skip-tls-verify: 'x'}}]",
            "Expected `bool`",
        ),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path, monkeypatch, content, told):
    (tmp_path / "config").write_bytes(content)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(ClusterError) as caught:
        Kubernetes.connect()
    assert str(tmp_path / "config") in caught.value.where
    assert told in caught.value.what
    assert "KUBECONFIG" in caught.value.remedy or "kubectl" in caught.value.remedy
