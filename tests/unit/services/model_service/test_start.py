"""The start: the model comes from registry or cache, and readiness tells what is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serinus.errors import ModelError, SettingsError
from serinus.model.artifact import write
from serinus.services.chassis import settings as settings_room
from serinus.services.model_service import artifact
from serinus.services.model_service.app import build
from serinus.services.model_service.settings import Settings

from .conftest import Client

ENVIRON = {
    "SERINUS_APP": "model-service", "SERINUS_TRACK": "stable", "MODEL_NAME": "reviews",
    "MODEL_VERSION": "v1", "MODEL_REGISTRY": "/registry", "MODEL_CACHE": "/cache",
}  # fmt: skip


async def test_the_model_is_loaded_and_predicts(chassis: Any, settings: Settings) -> None:
    async with build(chassis) as app:
        assert await chassis.health.missing() == {"process": "starting"}
        client = Client(app, chassis.telemetry)
        found = (await client.predict({"text": "not bad, good"})).json()
        assert found["predictions"][0]["label"] == "positive"
        version = (await client.call("GET", "/version")).json()
    assert (version["app"], version["track"]) == ("model-service", "stable")
    assert (version["version"], version["model"]["version"]) == ("1.2.3", "v1")
    text = chassis.telemetry.exposition().decode()
    assert 'serinus_model_cache_requests_total{app="model-service",result="miss"' in text


async def test_the_cache_is_enough(chassis: Any, settings: Settings, store: Path) -> None:
    first = artifact.Loading(settings, _Nothing())  # type: ignore[arg-type]
    await first.load()
    shutil.rmtree(store)
    async with build(chassis):
        pass
    text = chassis.telemetry.exposition().decode()
    assert 'result="hit",track="stable"} 1.0' in text


class _Nothing:
    def looked_up(self, result: str) -> None: ...

    def loaded(self, manifest: Any, seconds: float) -> None: ...


@pytest.mark.parametrize("damage", ["gone", "another version", "altered"])
async def test_a_registry_that_is_not_ready_is_awaited(
    chassis: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(artifact, "FIRST_WAIT_SECONDS", 0.01)
    version = store / "reviews/v1"
    away = tmp_path / "away"
    shutil.copytree(store, away)
    if damage == "gone":
        shutil.rmtree(store)
    elif damage == "another version":
        version.rename(store / "reviews/v2")
    else:
        (version / "model.json").write_bytes(b"altered")

    async def entered() -> bool:
        async with build(chassis):
            return True

    start = asyncio.create_task(entered())
    expected = {
        "gone": "directory does not exist", "another version": "does not have reviews v1",
        "altered": "truncated or altered",
    }[damage]  # fmt: skip
    while expected not in (await chassis.health.missing()).get("model", ""):
        await asyncio.sleep(0)
        assert not start.done()
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(away, store)
    assert await asyncio.wait_for(start, 10)
    assert "model" not in await chassis.health.missing()


async def test_a_model_that_cannot_be_used_ends_the_start(chassis: Any, store: Path) -> None:
    shutil.rmtree(store / "reviews/v1")
    write(
        store / "reviews/v1", {"model.json": b"[]"}, name="reviews", version="v1",
        engine="linear", labels=["negative", "positive"],
    )  # fmt: skip
    with pytest.raises(ModelError, match="not a table"):
        async with build(chassis):
            pass


@pytest.mark.parametrize(
    "registry", ["/registry", "registry", "http://models", "https://m:8443/a/b"]
)
def test_registries(registry: str) -> None:
    loaded = settings_room.load(Settings, ENVIRON | {"MODEL_REGISTRY": registry})
    assert loaded.model_registry == registry


def test_wrong_settings_are_listed_together() -> None:
    wrong = {"MODEL_NAME": "../x", "MODEL_VERSION": "", "MODEL_REGISTRY": "ftp://x"}
    with pytest.raises(SettingsError) as caught:
        settings_room.load(Settings, ENVIRON | wrong)
    for name in ("MODEL_NAME", "MODEL_VERSION is missing", "MODEL_REGISTRY"):
        assert name in str(caught.value)


def test_a_process_that_waits_for_its_model_stops_on_a_signal(tmp_path: Path) -> None:
    host = f"127.202.{os.getpid() % 250}.{1 + os.getpid() // 250 % 250}"
    process = subprocess.Popen(
        [sys.executable, "-m", "serinus.services.model_service"],
        env=os.environ
        | ENVIRON
        | {"SERINUS_HOST": host, "MODEL_REGISTRY": str(tmp_path / "none")}
        | {"MODEL_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = msgspec.json.decode(process.stdout.readline())
        assert line["message"] == "waiting for the model"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()
