"""`serinus up --foreground` as a process of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.process import free_port, until_said

from serinus.cli import main

CHART = Path(__file__).parents[1] / "local" / "chart"

pytestmark = pytest.mark.slow


@pytest.fixture
def words(tmp_path):
    return ("--chart", str(CHART), "--port", str(free_port()), "--state", str(tmp_path / "state"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_foreground_ends_everything_on_a_signal(words, tmp_path, number, capsys):
    process = subprocess.Popen(
        [sys.executable, "-m", "serinus.cli.main", "up", "--foreground", *words],
        stdout=subprocess.PIPE,
        text=True,
        # A parent in the background (nohup, `&` in a script) hands an ignored SIGINT down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    until_said(process.stdout, "Ctrl-C stops everything")
    assert main.run(["status", "--json", *words[-2:]]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"].split("-")[0] for row in rows] == ["front", "front", "envoy"]
    process.send_signal(number)
    told, _ = process.communicate(timeout=30)
    assert "envoy stopped" in told
    assert main.run(["status", *words[-2:]]) == 1


def test_up_and_down_tell_what_they_do(words, capsys):
    assert main.run(["up", *words]) == 0
    told = capsys.readouterr().out
    assert "envoy ready" in told
    assert "ready in" in told
    assert main.run(["rollout", "set", "--canary", "30", *words[-2:]]) == 0
    assert "epoch 1: stable 70 %, canary 30 %" in capsys.readouterr().out
    assert main.run(["diff", *words]) == 0
    assert "no difference" in capsys.readouterr().out
    assert main.run(["down", *words[-2:]]) == 0
    assert "3 processes ended" in capsys.readouterr().out


def test_a_failing_start_exits_1_and_shows_the_log(words, capsys):
    try:
        assert main.run(["up", *words, "--set", "greeting=crash"]) == 1
        told = capsys.readouterr().err
        assert "no greeting for me" in told
        assert "serinus logs front/" in told
        assert main.run(["status", *words[-2:]]) == 1
    finally:
        assert main.run(["down", *words[-2:]]) == 0
