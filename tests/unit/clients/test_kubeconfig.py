from pathlib import Path

import pytest
import yaml

from serinus.clients import kubeconfig
from serinus.clients.kubernetes import Kubernetes
from serinus.errors import UsageError


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
