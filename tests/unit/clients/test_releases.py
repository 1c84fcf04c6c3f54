import json

import pytest
from tests.unit.cluster.conftest import Server, connected

from serinus.clients.releases import Releases


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def sent(server, monkeypatch, tmp_path):
    """Options that `put` gives to the engine."""
    releases = Releases(connected(server))
    calls = []

    def call(verb, chart, values, options):
        calls.append((verb, json.loads(values), dict(options)))
        return ""

    monkeypatch.setattr(releases, "_call", call)

    def put(**how):
        releases.put(tmp_path, {"a": 1}, **how)
        return calls[-1]

    return put


def test_a_namespace_that_is_there_is_not_created_again(sent, server):
    verb, values, options = sent(first=True)
    assert (verb, values, options["create_namespace"]) == ("helm_install", {"a": 1}, False)
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
