from pathlib import Path

import httpx2
import pytest
import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import Cluster, Context, User, UserExec

from serinus.clients import kubeconfig
from serinus.clients.kubernetes import Kubernetes
from serinus.errors import ClusterError, UnreachableError


def _file(path, name, *, current=True):
    about = {
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:1/{name}"}}],
        "users": [{"name": name, "user": {"token": "t"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": "own"}}
        ],
    }  # fmt: skip
    if current:
        about["current-context"] = name
    path.write_text(yaml.safe_dump(about))
    return str(path)


def _cluster(handler):
    config = SingleConfig(
        "recorded", Context(cluster="c"), Cluster(server="http://127.0.0.1:1", insecure=True)
    )
    return Kubernetes(config, "shop", transport=httpx2.MockTransport(handler))


def test_contexts_of_several_files_are_merged_and_the_first_says_the_current(tmp_path, monkeypatch):
    files = (_file(tmp_path / "a", "one"), str(tmp_path / "none"), _file(tmp_path / "b", "two"))
    monkeypatch.setenv("KUBECONFIG", ":".join(files))
    assert str(Kubernetes.connect()) == "cluster: context one, namespace own"
    assert str(Kubernetes.connect("two", "shop")) == "cluster: context two, namespace shop"


def test_a_context_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", _file(tmp_path / "a", "one"))
    with pytest.raises(ClusterError, match=r"'three' not found[\s\S]*--context"):
        Kubernetes.connect("three")


def test_without_a_file_no_cluster_is_configured(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert not kubeconfig.configured()
    with pytest.raises(ClusterError, match="no cluster is configured"):
        Kubernetes.connect()


@pytest.mark.parametrize(("status", "remedy"), [(401, "sign in again"), (403, "ask for the right")])
def test_a_refusal_tells_what_and_its_remedy(status, remedy):
    found = _cluster(lambda _: httpx2.Response(status, text="no"))
    with pytest.raises(ClusterError, match=rf"/version[\s\S]*{status}[\s\S]*{remedy}"):
        found.version()


def test_a_refusal_says_who_lacks_which_right():
    status = {"kind": "Status", "message": 'User "a" cannot list resource "secrets"', "code": 403}
    found = _cluster(lambda _: httpx2.Response(403, json=status))
    with pytest.raises(ClusterError, match='User "a" cannot list resource "secrets"'):
        found.object("/api/v1/namespaces/shop/secrets")


def test_an_api_server_that_does_not_answer_is_named():
    def refuse(request):
        raise httpx2.ConnectError("connection refused", request=request)

    with pytest.raises(ClusterError, match=r"127\.0\.0\.1[\s\S]*connection refused"):
        _cluster(refuse).version()


def test_pages_of_pods_come_through_the_api_server():
    seen = []

    def answer(request):
        seen.append(request.url.path)
        return httpx2.Response(200, text="a 1\n")

    assert _cluster(answer).page("p", 9090, "/metrics") == "a 1\n"
    assert seen == ["/api/v1/namespaces/shop/pods/p:9090/proxy/metrics"]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_credential_plugin_gives_the_token(tmp_path, monkeypatch, version):
    api = f"client.authentication.k8s.io/{version}"
    plugin = {"apiVersion": api, "command": "printf", "args": ['{"status": {"token": "abc"}}']}
    about = yaml.safe_load(Path(_file(tmp_path / "a", "one")).read_text())
    about["users"][0]["user"] = {"exec": plugin}
    (tmp_path / "a").write_text(yaml.safe_dump(about))
    config = KubeConfig.from_file(tmp_path / "a").get()
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx2.Response(200, json={"major": "1", "minor": "34"})

    found = Kubernetes(config, transport=httpx2.MockTransport(answer))
    assert found.version() == (1, 34)
    assert seen == ["Bearer abc"]


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx2.Response(503, content=b""),
    ],
)
@pytest.mark.parametrize(
    "question", [lambda found: found.version(), lambda found: found.pods({"a": "b"})]
)
def test_a_server_that_is_no_api_server_is_told(answer, question):
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1|recorded"):
        question(_cluster(lambda _: answer))


@pytest.mark.parametrize(
    ("command", "args"),
    [("printf", ["{}"]), ("printf", ["token"]), ("false", []), ("/nowhere/plugin", [])],
)
def test_a_credential_plugin_that_gives_no_token_is_named(command, args):
    plugin = UserExec("client.authentication.k8s.io/v1", command, args=args)
    config = SingleConfig(
        "recorded", Context(cluster="c"), Cluster(server="http://127.0.0.1:1"), User(exec=plugin)
    )
    found = Kubernetes(config, transport=httpx2.MockTransport(lambda _: httpx2.Response(200)))
    with pytest.raises(ClusterError) as caught:
        found.version()
    assert caught.value.remedy.endswith(f"; {command} must print a token")
    assert not isinstance(caught.value, UnreachableError)
