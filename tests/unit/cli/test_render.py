from pathlib import Path

import pytest

from serinus.cli import main
from serinus.cli.render import touched
from serinus.local import session

CHART = Path(__file__).parents[1] / "local" / "chart"


@pytest.fixture
def serinus(tmp_path, capsys):
    def serinus(*words, code=0):
        where = ("--state", str(tmp_path / "state"), "--chart", str(CHART))
        assert main.run([*words, *where]) == code
        return capsys.readouterr()

    return serinus


def test_render_prints_the_chart_with_the_values(serinus, tmp_path):
    values = tmp_path / "v.yaml"
    values.write_text("greeting: from the file\n")
    told = serinus("render", "-f", str(values), "--set", "replicas=3").out
    assert "# Source: small/templates/app.yaml" in told
    assert 'value: "from the file"' in told
    assert "replicas: 3" in told
    assert not (tmp_path / "state").exists()


def test_a_wrong_value_is_named_with_its_place(serinus):
    assert "--set replicas" in serinus("render", "--set", "replicas", code=2).err
    assert "absent.yaml" in serinus("render", "-f", "absent.yaml", code=2).err


def test_the_plan_is_printed_with_what_has_no_effect(serinus, tmp_path):
    told = serinus("up", "--plan").out
    assert "front-stable 1 of front/stable" in told
    assert "HOST=@POD_IP@" in told
    assert "envoy gateway and outbound proxies" in told
    assert "Deployment spec.template.spec.containers[].image: the installed package runs" in told
    assert not (tmp_path / "state").exists()


def test_diff_against_nothing_shows_all_and_exits_1(serinus):
    told = serinus("diff", code=1).out
    assert "+kind: Gateway" in told
    assert "starts front-stable" in told


def plan(tmp_path, *sets):
    return session.prepare(
        session.workspace(tmp_path / "state"), session.Asked((), sets, None, CHART)
    ).plan


def test_what_a_change_touches(tmp_path):
    before = plan(tmp_path)
    weights = "rollout.weights.stable=50,rollout.weights.canary=50"
    assert touched(before, plan(tmp_path, weights)) == ["touches no process"]
    assert touched(before, plan(tmp_path, "greeting=x")) == [
        "replaces front-canary",
        "replaces front-stable",
    ]
    off = "rollout.canary.enabled=false"
    assert touched(before, plan(tmp_path, off)) == ["stops front-canary"]
    assert touched(plan(tmp_path, off), before) == ["starts front-canary"]
    assert touched(before, plan(tmp_path, "replicas=2")) == [
        "front-canary: 1 > 2 pods",
        "front-stable: 1 > 2 pods",
    ]
