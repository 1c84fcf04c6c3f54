"""The limit per client address, asked from two addresses beside the node."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from tests.cluster.echo import Echo
from tests.cluster.support import ROOT, Release, environment, on_rig

RIG_PROGRAM = ROOT / "tools/cluster/rig"
NODE = ("10.203.0.10", 30080)
VISITORS = ("10.203.0.21", "10.203.0.22")
LIMIT = "x-ratelimit-limit"

ASK = """
import http.client, json, sys
source, host, count, spoof = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "spoof"
found = []
link = http.client.HTTPConnection(*NODE, timeout=20, source_address=(source, 0))
for number in range(count):
    headers = {"host": host}
    if spoof:
        headers["x-forwarded-for"] = f"198.51.100.{number}, 203.0.113.{number}"
    link.request("GET", "/version", headers=headers)
    answer = link.getresponse()
    answer.read()
    names = sorted(name.lower() for name in answer.headers)
    told = [name for name in names if name.startswith("x-ratelimit-")]
    found.append([answer.status, answer.headers.get("retry-after"), told])
print(json.dumps(found))
""".replace("NODE", repr(NODE))


class Answer(NamedTuple):
    """`told` are the names of the `x-ratelimit-` headers."""

    status: int
    after: str | None
    told: list[str]


@pytest.fixture(scope="module")
def limited(release: Release) -> Release:
    """The same release with a limit that two hands can reach, lifted at the end."""
    if not on_rig():
        pytest.skip("two client addresses are there on the rig only (tools/cluster/rig visit)")
    limit = "gateway.rateLimit.requestsPerSecond=1,gateway.rateLimit.burst=40"
    try:
        release.helm("--set", limit)
        deadline = time.monotonic() + 30
        while not any(answer.status == 429 for answer in ask(release, "10.203.0.23", 60)):
            assert time.monotonic() < deadline, "no limit in force after 30 s"
        yield release
    finally:
        release.helm()


def ask(release: Release, source: str, count: int, spoof: str = "plain") -> list[Answer]:
    done = subprocess.run(
        [sys.executable, str(RIG_PROGRAM), "visit", "python3", "-c", ASK, source, release.host,
         str(count), spoof],
        capture_output=True, text=True, check=False, timeout=120, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Answer(*item) for item in json.loads(done.stdout)]


def test_each_address_has_a_limit_of_its_own(limited: Release) -> None:
    first = ask(limited, VISITORS[0], 60)
    refused = [answer for answer in first if answer.status == 429]
    assert refused, first
    assert all(int(answer.after or 0) >= 1 for answer in refused)
    assert {answer.status for answer in ask(limited, VISITORS[1], 5)} == {200}


def test_a_spoofed_forwarded_for_does_not_evade(limited: Release) -> None:
    ask(limited, VISITORS[0], 60)
    statuses = [answer.status for answer in ask(limited, VISITORS[0], 30, "spoof")]
    assert statuses.count(429) >= 20


def test_another_host_of_the_gateway_is_left_alone(limited: Release, echo: Echo) -> None:
    before = ask(limited, VISITORS[0], 60)
    assert all(LIMIT in answer.told for answer in before)
    other = ask(echo, VISITORS[0], 10)
    after = ask(limited, VISITORS[0], 30)
    assert [answer.status for answer in after].count(429) >= 20
    assert other == [Answer(200, None, [])] * 10
