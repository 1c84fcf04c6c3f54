"""Real Prometheus, Alertmanager and mail server watch the running system."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from serinus.local.addresses import PROMETHEUS, PROMETHEUS_PORT, host
from serinus.mail.mailbox import Letter, Mailbox
from serinus.monitoring.dashboards import BOARDS
from tests.e2e.conftest import _running
from tests.e2e.support import Run, eventually

VARIABLES = {
    "$namespace": "serinus",
    "$release": "serinus",
    "$track": ".*",
    "$__rate_interval": "1m",
    "$__range": "10m",
}
MONITORING = ("prometheus", "alertmanager", "mail")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[Run]:
    """A running system of this file's own: its tests break parts of it and wait until all heals."""
    with _running(tmp_path_factory.mktemp("watched") / "state", trained) as run:
        yield run


async def ask(run: Run, query: str) -> list[dict[str, Any]]:
    """A query's instant vector; an error of Prometheus fails the test with its text."""
    address = host(run.system.plan.block, PROMETHEUS)
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"http://{address}:{PROMETHEUS_PORT}/api/v1/query", params={"query": query}
        ) as answer,
    ):
        body = await answer.json()
    assert body["status"] == "success", f"{query}: {body}"
    result: list[dict[str, Any]] = body["data"]["result"]
    return result


async def until_answered(run: Run, query: str, seconds: float = 20.0) -> None:
    """Wait until a query has an answer."""
    until = time.monotonic() + seconds
    while not await ask(run, query):
        assert time.monotonic() < until, f"no answer within {seconds} s: {query}"
        await asyncio.sleep(0.2)


def letters(run: Run, since: datetime) -> list[Letter]:
    """Mail that came after a moment."""
    return [item for item in Mailbox(run.state / "mail").letters() if item.received_at > since]


async def mail(run: Run, since: datetime, pattern: str, seconds: float) -> Letter:
    """Wait for the first mail whose subject fits."""
    found: list[Letter] = []

    def came() -> bool:
        found[:] = [item for item in letters(run, since) if re.search(pattern, item.subject)]
        return bool(found)

    await eventually(came, seconds)
    return found[0]


def processes(run: Run, *names: str) -> list[int]:
    """Process ids of pods or programs whose name begins so."""
    recorded = json.loads((run.state / "processes.json").read_text())
    return [item["pid"] for item in recorded if item["name"].startswith(names)]


@contextmanager
def dead(run: Run, workload: str) -> Iterator[None]:
    """Kill a workload's process again and again."""
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.05):
            for pid in processes(run, workload):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        stop.set()
        killer.join()


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Let processes stand still, as on a machine that hangs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def traffic(run: Run, rate: float, cookie: str) -> AsyncIterator[list[int]]:
    """Ask for pages at a steady rate, each second from another address; gives the status codes."""
    seen: list[int] = []

    async def visit(number: int) -> None:
        async with run.visitor(f"127.200.{number // 200 % 200}.{1 + number % 200}") as get:
            seen.append((await get("/", cookie=cookie)).status)

    async def go() -> None:
        async with asyncio.TaskGroup() as group:
            began, number = time.monotonic(), 0
            while True:
                group.create_task(visit(number))
                number += 1
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))

    task = asyncio.create_task(go())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def quiet(run: Run, seconds: float = 90.0) -> None:
    """Wait until no alert fires or waits, and its last mail is out."""

    async def alerts() -> list[dict[str, Any]]:
        return await ask(run, "ALERTS")

    until = time.monotonic() + seconds
    while await alerts():
        assert time.monotonic() < until, await alerts()
        await asyncio.sleep(0.5)

    def answered() -> bool:
        firing: dict[str, int] = {}
        for letter in Mailbox(run.state / "mail").letters():
            state, _, rest = letter.subject.partition(" ")
            firing[rest.split()[0]] = state == "[FIRING]"
        return not any(firing.values())

    await eventually(answered, 30)


async def calm(run: Run) -> None:
    """Wait until the load of other tests is out of every window, and no alert is left of it."""
    requests = 'sum(rate(serinus_http_requests_total{app="app-frontend"}[2m]))'
    await until_answered(run, f"vector(1) unless {requests} >= 1", 180)
    await quiet(run, 150)


async def test_every_target_is_up(watched: Run) -> None:
    await until_answered(watched, 'count(up{job="serinus-mesh"} == 1)')
    await until_answered(watched, 'count(up{job=~".+-.+", track=~".+"} == 1) == 6')
    assert await ask(watched, "up == 0") == []


async def test_a_pushed_load_is_mailed_and_resolved(watched: Run) -> None:
    # An increase needs a calm minute before it.
    await until_answered(watched, 'count(up{job="app-frontend"} offset 1m) and on () vector(1)', 90)
    await calm(watched)
    since = datetime.now(UTC)
    began = time.monotonic()
    async with traffic(watched, 40, "app-version=stable"):
        firing = await mail(watched, since, r"\[FIRING\] RequestLoadIncrease .*\(stable\)", 40)
        seconds = time.monotonic() - began
    print(f"\nfrom the jump of requests to the mail: {seconds:.1f} s")
    assert firing.recipients == "operator@serinus.localhost"
    found = re.search(
        r"([\d.]+) requests per second came to app-frontend, track (\w+)", firing.text
    )
    assert found, firing.text
    assert float(found[1]) >= 10
    assert found[2] == "stable"
    assert "docs/runbooks/RequestLoadIncrease.md" in firing.text
    resolved = await mail(watched, since, r"\[RESOLVED\] RequestLoadIncrease", 120)
    assert resolved.received_at > firing.received_at
    # The command shows what the server kept.
    listed = watched.serinus("mail", "list")
    assert "RequestLoadIncrease" in listed
    assert "track stable" in watched.serinus("mail", "show", str(firing.number))


async def test_envoys_statistics_are_istios_metrics(watched: Run) -> None:
    watched.serinus("simulate", "--visitors", "40", "--rate", "20")
    for source, destination in (
        ("istio-ingressgateway", "app-frontend"),
        ("app-frontend", "app-service"),
        ("app-service", "model-service"),
    ):
        for track in ("stable", "canary"):
            labels = (
                f'reporter="source", source_app="{source}", destination_app="{destination}", '
                f'destination_workload="{destination}-{track}", destination_version="{track}", '
                f'app="{destination}", track="{track}", namespace="serinus"'
            )
            await until_answered(
                watched, f'istio_requests_total{{{labels}, response_code=~"2.."}} > 0'
            )
            await until_answered(
                watched, f'istio_request_duration_milliseconds_bucket{{{labels}, le="+Inf"}} > 0'
            )
    crossing = await ask(
        watched,
        'istio_requests_total{source_version="stable", destination_version="canary"} '
        'or istio_requests_total{source_version="canary", destination_version="stable"}',
    )
    assert crossing == []


async def test_no_panel_is_empty(watched: Run) -> None:
    watched.serinus("simulate", "--visitors", "60", "--rate", "20")
    await until_answered(watched, "sum(increase(serinus_feedback_total[1m])) > 0")
    await asyncio.sleep(4)  # two more scrapes, so that every rate has its samples
    empty = []
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                expression = query.expr
                for name, value in VARIABLES.items():
                    expression = expression.replace(name, value)
                answer = await ask(watched, expression)
                if not any(series["value"][1] != "NaN" for series in answer):
                    empty.append(f"{board.title}: {panel.title}: {expression}")
    assert empty == []


async def test_a_new_weight_is_a_series_and_restarts_nothing(watched: Run) -> None:
    before = processes(watched, *MONITORING)
    watched.serinus("rollout", "set", "--canary", "25")
    await until_answered(watched, 'serinus:configured_weight:percent{track="canary"} == 25')
    watched.serinus("rollout", "set", "--canary", "10")
    await until_answered(watched, 'serinus:configured_weight:percent{track="canary"} == 10')
    assert processes(watched, *MONITORING) == before


async def test_a_dead_canary_is_mailed_and_nothing_else(watched: Run) -> None:
    await calm(watched)
    async with traffic(watched, 3, "app-version=canary"):
        await asyncio.sleep(2)
        since, began = datetime.now(UTC), time.monotonic()
        with dead(watched, "model-service-canary"):
            firing = await mail(watched, since, r"FIRING", 40)
            seconds = time.monotonic() - began
            await asyncio.sleep(3)  # what would follow has the time to
        print(f"\nfrom the canary's fault to the mail: {seconds:.1f} s, the goal is 15")
        await mail(watched, since, r"RESOLVED", 60)
        await asyncio.sleep(8)
    assert "ServiceDown model-service (canary)" in firing.subject
    assert "model-service, track canary" in firing.text
    assert "serinus rollout abort" in firing.text
    subjects = [letter.subject for letter in letters(watched, since)]
    assert [s.split()[1] for s in subjects] == ["ServiceDown"] * 2, subjects


async def test_the_application_serves_without_its_monitoring(watched: Run) -> None:
    await quiet(watched)
    with frozen(processes(watched, *MONITORING)):
        async with traffic(watched, 20, "app-version=stable") as seen:
            await asyncio.sleep(3)
    assert len(seen) > 30
    assert set(seen) == {200}
    for pid in processes(watched, *MONITORING):
        os.kill(pid, signal.SIGKILL)
    async with watched.visitor() as get:
        assert (await get("/")).status == 200
    await eventually(lambda: len(processes(watched, *MONITORING)) == 3)
    # The supervisor brings them back.
    rows = {row["name"]: row for row in json.loads(watched.serinus_any("status", "--json"))}
    assert all(rows[name]["restarts"] >= 1 for name in MONITORING)


@pytest.mark.parametrize("gone", MONITORING)
async def test_an_alert_arrives_once_the_way_is_open_again(watched: Run, gone: str) -> None:
    await eventually(lambda: len(processes(watched, *MONITORING)) == 3)
    await quiet(watched)
    since = datetime.now(UTC)
    with dead(watched, "model-service-canary"):
        with frozen(processes(watched, gone)):
            if gone != "prometheus":
                await until_firing(watched, "ServiceDown")
            await asyncio.sleep(4)
            assert letters(watched, since) == []
        arrived = await mail(watched, since, r"FIRING", 60)
    assert "ServiceDown model-service (canary)" in arrived.subject
    await quiet(watched)


async def until_firing(run: Run, name: str) -> None:
    """Wait until Prometheus says that an alert fires."""
    await until_answered(run, f'ALERTS{{alertname="{name}", alertstate="firing"}}', 40)


async def test_it_costs_little_at_rest(watched: Run) -> None:
    await quiet(watched)
    everything = [psutil.Process(pid) for pid in processes(watched, "")]
    own = [psutil.Process(pid) for pid in processes(watched, *MONITORING)]

    async def cores(seconds: float) -> float:
        """Cores that the whole run uses, scraped services and Envoy included."""

        def used() -> float:
            return sum(sum(item.cpu_times()[:2]) for item in everything)

        before, began = used(), time.monotonic()
        await asyncio.sleep(seconds)
        return (used() - before) / (time.monotonic() - began)

    memory = sum(item.memory_info().rss for item in own)
    with_it = await cores(15)
    with frozen([item.pid for item in own]):
        without = await cores(15)
    print(
        f"\nmonitoring at rest: {memory / 1e6:.0f} MB, "
        f"{100 * (with_it - without):.1f} % of one core ({100 * without:.1f} % without it)"
    )
    # The share of a core is printed only: on a busy machine it says nothing.
    assert memory < 150e6
