"""The scripts of `helm test`, run against the system on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from serinus.contracts.routing import APPS
from tests.e2e.support import FRONTEND, Run

SCRIPTS = Path(__file__).parents[2] / "charts" / "serinus" / "files" / "tests"


def test_a_review_travels_in_both_tracks(system: Run) -> None:
    environment = {
        "GATEWAY": "127.0.0.1", "PORT": str(system.port), "TLS": "false",
        "FRONTEND_HOST": FRONTEND, "TRACKS": "stable,canary",
    }  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-B", str(SCRIPTS / "review.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        f"{track}: {', '.join(f'{app}/{track}' for app in APPS)}" for track in ("stable", "canary")
    ]
