import pytest

from serinus.cli import place
from serinus.cli.deploy import hidden
from serinus.cli.main import run
from serinus.errors import UsageError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("SERINUS_STATE", raising=False)
    return tmp_path


def _configure(folder):
    (folder / "none").write_text(
        "contexts: [{name: far, context: {cluster: c}}]\ncurrent-context: far\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
    )


def test_without_a_cluster_this_machine_is_meant(nowhere, capsys):
    assert place.chosen(None, None, None) is None
    assert capsys.readouterr().err == f"this machine: {nowhere}/.serinus\n"


def test_where_nothing_runs_the_current_context_is_meant(nowhere, capsys):
    _configure(nowhere)
    assert str(place.chosen(None, None, None)) == "cluster: context far, namespace default"
    assert capsys.readouterr().err == "cluster: context far, namespace default\n"


def test_a_state_directory_means_this_machine(nowhere, capsys):
    _configure(nowhere)
    assert place.chosen(nowhere / "s", None, None) is None


def test_a_namespace_means_a_cluster(nowhere):
    _configure(nowhere)
    assert str(place.chosen(None, None, "shop")) == "cluster: context far, namespace shop"


def test_both_at_once_are_refused(nowhere):
    with pytest.raises(UsageError, match="--state"):
        place.chosen(nowhere / "s", "far", None)


def test_explain_speaks_to_a_cluster_only_when_one_is_named(nowhere):
    _configure(nowhere)
    assert place.asked(None, None, None) is None
    assert place.asked(None, "far", None) is not None


@pytest.mark.parametrize("options", [["--diff", "--dry-run"], ["--rollback", "2", "--set", "a=1"]])
def test_deploy_refuses_options_that_exclude_each_other(nowhere, options):
    assert run(["deploy", *options]) == 2


def test_a_cluster_that_does_not_answer_is_a_message(nowhere, capsys):
    _configure(nowhere)
    assert run(["deploy", "--history"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_contents_of_secrets_are_hidden_and_a_change_shows():
    def shown(value):
        text = f"apiVersion: v1\nkind: Secret\ndata:\n  key: {value}\n---\nkind: ConfigMap\n"
        return list(hidden(text + "data:\n  key: open\n"))

    assert not any("c2VjcmV0" in line for line in shown("c2VjcmV0"))
    assert shown("c2VjcmV0") != shown("b3RoZXI=")
    assert "  key: open" in shown("c2VjcmV0")


def test_a_state_of_the_environment_gives_way_to_a_named_cluster(nowhere, monkeypatch, capsys):
    _configure(nowhere)
    monkeypatch.setenv("SERINUS_STATE", str(nowhere / "s"))
    assert run(["status", "--context", "far"]) == 1
    assert "cluster: context far" in capsys.readouterr().err
    assert run(["status", "--context", "far", "--state", "s"]) == 2
    assert run(["simulate"]) == 1
    assert f"this machine: {nowhere}/s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rollback", "0"], "there is no revision 0"),
        (["--rollback", "--chart", "."], "takes chart and values of its revision"),
        (["--history", "--set", "a=1"], "--history"),
        (["--timeout", "-5"], "x>=1"),
    ],
)
def test_deploy_refuses_what_it_would_ignore(nowhere, capsys, options, told):
    assert run(["deploy", *options]) == 2
    assert told in capsys.readouterr().err


def test_a_weight_is_a_percentage(nowhere, capsys):
    assert run(["rollout", "set", "--canary", "101"]) == 2
    assert "0<=x<=100" in capsys.readouterr().err


def test_a_release_is_explained_as_it_is(nowhere, capsys):
    _configure(nowhere)
    words = ["mesh", "explain", "GET", "http://a/", "--context", "far", "--set", "a=1"]
    assert run(words) == 2
    assert "a release in a cluster is explained as it is" in capsys.readouterr().err
