"""Folders `in` and `out`: the compiled configuration of each case, byte for byte, and valid.

`SERINUS_GOLDEN=write pytest tests/golden/monitoring` writes `out` anew; read the difference.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from serinus.manifests import Index
from serinus.monitoring.targets import Pod
from tests.support.monitoring import compiled

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "in").glob("*.yaml"))
PODS = [
    Pod("shop-stable-1", "127.20.7.11", {"app": "shop", "version": "stable"},
        {"http": 8080, "http-metrics": 9090}, "shop"),
    Pod("shop-canary-1", "127.20.7.10", {"app": "shop", "version": "canary"},
        {"http": 8080, "http-metrics": 9090}, "shop"),
    Pod("other-1", "127.20.7.12", {"app": "other"}, {}, "shop"),
    Pod("envoy", "127.20.7.1", {"istio": "ingressgateway"}, {"http-envoy-prom": 15000}, None,
        "istio-proxy"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_compiles_as_committed(case: str) -> None:
    index = Index.parse((HERE / "in" / f"{case}.yaml").read_text())
    made = compiled(index, PODS, "/state")
    out = HERE / "out" / case
    if os.environ.get("SERINUS_GOLDEN") == "write":
        shutil.rmtree(out, ignore_errors=True)
        for name, text in made.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
    committed = {
        str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()
    }
    assert made == committed


@pytest.mark.parametrize("case", CASES)
def test_the_real_programs_accept_it(case: str, tmp_path: Path) -> None:
    index = Index.parse((HERE / "in" / f"{case}.yaml").read_text())
    for name, text in compiled(index, PODS, str(tmp_path)).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")],
        ["amtool", "check-config", str(tmp_path / "alertmanager.yml")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stdout + done.stderr
