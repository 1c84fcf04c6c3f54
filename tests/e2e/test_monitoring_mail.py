"""A real Alertmanager with the chart's configuration mails to a real SMTP server."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from serinus.mail.mailbox import Letter, Mailbox
from serinus.mail.server import protocol
from serinus.manifests import Index
from serinus.monitoring import alertmanager
from tests.support.monitoring import CHART, SECRETS
from tests.support.process import free_port

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or ""


class Mailer:
    """A running Alertmanager and the mailbox behind it."""

    def __init__(self, address: str, box: Mailbox) -> None:
        self._address = address
        self._box = box

    async def alert(self, name: str, *, over: bool = False, **labels: str) -> None:
        """Say that an alert fires, or that it is over."""
        now = datetime.now(UTC)
        alert: dict[str, Any] = {
            "labels": {"alertname": name, "namespace": "serinus", "severity": "critical"} | labels,
            "annotations": {
                "summary": f"{name} it is",
                "description": "12 of 13 failed. To end it: serinus rollout abort",
                "runbook": f"docs/runbooks/{name}.md",
            },
            "startsAt": (now - timedelta(seconds=5)).isoformat(),
            "endsAt": (now if over else now + timedelta(minutes=5)).isoformat(),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._address}/api/v2/alerts", json=[alert]) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def letters(self, count: int, seconds: float = 20.0) -> list[Letter]:
        """Wait for so many letters, and a moment more for any that should not be."""
        until = time.monotonic() + seconds
        while len(self._box.letters()) < count:
            assert time.monotonic() < until, [item.subject for item in self._box.letters()]
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        found = self._box.letters()
        assert len(found) == count, [item.subject for item in found]
        return found


@pytest.fixture
async def mailer(tmp_path: Path) -> AsyncIterator[Mailer]:
    from serinus.clients import helm
    from serinus.clients.values import merge

    loop = asyncio.get_running_loop()
    box = Mailbox(tmp_path / "mail")
    smtp = await loop.create_server(lambda: protocol(box), "127.0.0.1", 0)
    port = smtp.sockets[0].getsockname()[1]
    mail = {
        "recipient": "you@example.org",
        "sender": "serinus@example.org",
        "smarthost": f"127.0.0.1:{port}",
        "requireTLS": False,
        "groupWait": "1s",
        "groupInterval": "1s",
    }
    values = merge(
        SECRETS,
        {
            "monitoring": {"alertmanager": mail},
            "store": {"sqlite": {"allow": True}, "postgresql": {"enabled": False}},
        },
    )
    index = Index.parse(helm.render(CHART, values).manifest)
    config = tmp_path / "alertmanager.yml"
    config.write_text(alertmanager.configuration(index))
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
            stdout=log,
            stderr=log,
        )
    try:
        await ready(f"http://{address}/-/ready", process)
        yield Mailer(f"http://{address}", box)
    finally:
        process.terminate()
        await process.wait()
        smtp.close()
        await smtp.wait_closed()


async def ready(address: str, process: asyncio.subprocess.Process) -> None:
    """Wait until a server answers."""
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(address) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError("Alertmanager ended")


async def test_a_mail_says_what_is_wrong_and_when_it_is_over(mailer: Mailer) -> None:
    await mailer.alert("CanaryErrors", app="app-service", track="canary")
    (firing,) = await mailer.letters(1)
    assert firing.subject == "[FIRING] CanaryErrors app-service (canary)"
    assert firing.recipients == "you@example.org"
    assert firing.sender == "serinus@example.org"
    for part in ("12 of 13 failed", "serinus rollout abort", "docs/runbooks/CanaryErrors.md"):
        assert part in firing.text
    assert firing.text.startswith("FIRING: CanaryErrors it is")
    await mailer.alert("CanaryErrors", app="app-service", track="canary", over=True)
    _, resolved = await mailer.letters(2)
    assert resolved.subject == "[RESOLVED] CanaryErrors app-service (canary)"
    assert "until:" in resolved.text


async def test_a_dead_service_silences_its_consequences_on_its_track(mailer: Mailer) -> None:
    consequence = {"consequence": "service-down"}
    await mailer.alert("ServiceDown", app="model-service", track="canary")
    await mailer.alert("CanaryErrors", app="app-service", track="canary", **consequence)
    await mailer.alert("TargetDown", app="model-service", track="canary", **consequence)
    (only,) = await mailer.letters(1)
    assert only.subject == "[FIRING] ServiceDown model-service (canary)"
    # The other track and what is no consequence go through.
    await mailer.alert("ErrorBudgetBurnFast", app="app-service", track="stable", **consequence)
    await mailer.alert("MixedTracks", app="app-service", track="canary")
    subjects = {letter.subject for letter in await mailer.letters(3)}
    assert "[FIRING] ErrorBudgetBurnFast app-service (stable)" in subjects
    assert "[FIRING] MixedTracks app-service (canary)" in subjects


async def test_a_fast_burn_silences_the_slow_one(mailer: Mailer) -> None:
    await mailer.alert("ErrorBudgetBurnFast", app="app-service", track="canary")
    await mailer.alert("ErrorBudgetBurnSlow", app="app-service", track="canary")
    (only,) = await mailer.letters(1)
    assert "ErrorBudgetBurnFast" in only.subject


async def test_another_namespaces_alerts_are_not_mailed(mailer: Mailer) -> None:
    await mailer.alert("ServiceDown", app="model-service", track="canary", namespace="other")
    await mailer.alert("MixedTracks", app="app-service", track="stable")
    (only,) = await mailer.letters(1)
    assert "MixedTracks" in only.subject
