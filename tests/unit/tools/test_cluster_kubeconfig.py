import json
import sys
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The module of the test cluster, with a kubeconfig of the cluster's own."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "tools/cluster"))
    from parts import kubeconfig

    ours = tmp_path / "ours"
    entry = {"name": kubeconfig.CONTEXT}
    ours.write_text(json.dumps({"clusters": [entry], "contexts": [entry], "users": [entry]}))
    monkeypatch.setattr(kubeconfig, "KUBECONFIG", ours)
    yield kubeconfig
    for name in [name for name in sys.modules if name.partition(".")[0] == "parts"]:
        del sys.modules[name]


def test_the_context_comes_and_goes_and_the_others_stay(parts, tmp_path):
    own = tmp_path / "own"
    mine = {"clusters": [{"name": "a"}], "contexts": [{"name": "a"}], "users": [{"name": "a"}]}
    own.write_text(yaml.safe_dump({**mine, "current-context": "a", "preferences": {"x": 1}}))
    parts.enter(own)
    parts.enter(own)
    config = yaml.safe_load(own.read_text())
    assert [item["name"] for item in config["contexts"]] == ["a", parts.CONTEXT]
    assert (config["current-context"], config["preferences"]) == (parts.CONTEXT, {"x": 1})
    assert own.stat().st_mode & 0o077 == 0
    parts.leave(own)
    config = yaml.safe_load(own.read_text())
    assert {name: config[name] for name in mine} == mine
    assert config["current-context"] == ""


def test_a_file_of_its_own_goes_with_it(parts, tmp_path):
    own = tmp_path / "deep" / "own"
    parts.enter(own)
    parts.leave(own)
    assert not own.exists()
    parts.leave(own)
