import json
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def parts(part):
    """The module of the test cluster, with a kubeconfig of the cluster's own."""
    kubeconfig = part("kubeconfig")
    entry = {"name": kubeconfig.CONTEXT}
    ours = {"clusters": [entry], "contexts": [entry], "users": [entry]}
    kubeconfig.KUBECONFIG.write_text(json.dumps(ours))
    return kubeconfig


def contexts(path):
    return [item["name"] for item in yaml.safe_load(path.read_text())["contexts"]]


def test_the_context_comes_and_goes_and_the_others_stay(parts):
    own = Path("~/.kube/config").expanduser()
    own.parent.mkdir(parents=True)
    mine = {"clusters": [{"name": "a"}], "contexts": [{"name": "a"}], "users": [{"name": "a"}]}
    own.write_text(yaml.safe_dump({**mine, "current-context": "a", "preferences": {"x": 1}}))
    parts.enter()
    parts.enter()
    config = yaml.safe_load(own.read_text())
    assert contexts(own) == ["a", parts.CONTEXT]
    assert (config["current-context"], config["preferences"]) == (parts.CONTEXT, {"x": 1})
    assert own.stat().st_mode & 0o077 == 0
    parts.leave()
    config = yaml.safe_load(own.read_text())
    assert {name: config[name] for name in mine} == mine
    assert config["current-context"] == ""


def test_a_file_of_its_own_goes_with_it(parts):
    own = Path("~/.kube/config").expanduser()
    parts.enter()
    parts.leave()
    assert not own.exists()
    parts.leave()


def test_the_first_file_of_kubeconfig_is_meant_and_left_from_anywhere(parts, tmp_path, monkeypatch):
    first, second = tmp_path / "deep" / "first", tmp_path / "second"
    second.write_text(yaml.safe_dump({"contexts": [{"name": "b"}]}))
    monkeypatch.setenv("KUBECONFIG", f":{first}:{second}")
    parts.enter()
    assert (contexts(first), contexts(second)) == ([parts.CONTEXT], ["b"])
    assert not Path("~/.kube/config").expanduser().exists()
    # Ended by somebody whose KUBECONFIG is another one.
    monkeypatch.setenv("KUBECONFIG", str(second))
    parts.leave()
    assert not first.exists()
    assert contexts(second) == ["b"]


def test_the_clusters_own_file_is_not_written_to(parts, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(parts.KUBECONFIG))
    before = parts.KUBECONFIG.read_text()
    parts.enter()
    parts.leave()
    assert parts.KUBECONFIG.read_text() == before
