"""`serinus mesh explain` on the real chart, in a state directory where nothing runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serinus.cli import main


def run(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> tuple[int, str, str]:
    code = main.run(["mesh", "explain", *words, "--state", str(state / "none")])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_returning_visitor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(
        capsys, tmp_path, "GET", "http://app-frontend.localhost/", "--cookie", "app-version=canary"
    )
    assert code == 0
    assert "rule         returning-canary-get\n" in out
    assert "destination  app-frontend/canary, 100 %" in out
    assert "VirtualService app-frontend-gateway, spec.http[" in out
    assert "templates/mesh/virtualservice-frontend-gateway.yaml, rendered line " in out
    assert "removes x-user, " in out
    assert "rate-limit" in out


def test_a_draw_tells_both_shares(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("GET", "http://app-frontend.localhost/", "--set", "rollout.weights.canary=25")
    code, out, _ = run(capsys, tmp_path, *words, "--set", "rollout.weights.stable=75", "--json")
    assert code == 0
    shares = {item["subset"]: item["percent"] for item in json.loads(out)["destinations"]}
    assert shares == {"stable": 75.0, "canary": 25.0}
    assert "adds set-cookie: app-version=canary.1.25; " in out


def test_the_line_is_that_of_the_rendered_chart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, out, _ = run(
        capsys, tmp_path, "GET", "http://app-frontend.localhost/assets/canary/a", "--json"
    )
    line = json.loads(out)["origin"]["line"]
    assert main.run(["render", "--state", str(tmp_path / "none")]) == 0
    rendered = capsys.readouterr().out.splitlines()
    assert "/assets/canary/" in "".join(rendered[line - 1 : line + 3])


def test_a_call_inside_the_mesh(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("POST", "http://app-service/v1/reviews", "--from", "app-frontend/canary")
    code, out, _ = run(capsys, tmp_path, *words)
    assert code == 0
    assert "listener     app-frontend/canary towards app-service (127." in out
    assert "destination  app-service/canary, 100 %" in out


def test_an_unknown_host(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, tmp_path, "GET", "http://example.org/")
    assert code == 0
    assert "answer       404, no rule is for this host" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("GET", "example.org"), "is no http address"),
        (("GET", "http://[a"), "is no address: Invalid IPv6"),
        (("GET", "http://a/", "--header", "nothing"), "is not NAME:VALUE"),
        (("GET", "http://app-service/", "--from", "shop/stable"), "no workload is shop/stable"),
        (("GET", "http://shop/", "--from", "app-frontend/stable"), "no Service named shop"),
    ],
)
def test_wrong_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    code, _, err = run(capsys, tmp_path, *words)
    assert code == 2
    assert told in err
    assert not (tmp_path / "none").exists()
