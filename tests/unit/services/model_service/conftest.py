"""model-service without a socket: the ASGI application with the chassis's telemetry around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.asgi import Answer, ask

from serinus.clients import registry
from serinus.model.artifact import Manifest, read, write
from serinus.model.linear import TABLE, Table
from serinus.model.text import VERSION
from serinus.services.chassis.health import Health
from serinus.services.chassis.server import Chassis
from serinus.services.chassis.telemetry import ASGIApp, Telemetry
from serinus.services.model_service.app import application
from serinus.services.model_service.metrics import ModelMetrics
from serinus.services.model_service.predictor import Predictor
from serinus.services.model_service.settings import Settings


class Client:
    """Calls an ASGI application directly; bodies may come in several pieces."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = telemetry.middleware(app)
        self.telemetry = telemetry

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        *,
        gone: bool = False,
        **headers: str,
    ) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self._app, method, path, body=body, headers=names, gone=gone)

    async def predict(self, body: Any, **headers: str) -> Answer:
        """POST /v1/predict; `body` is sent as it is when it is bytes."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call(
            "POST", "/v1/predict", raw, **({"content_type": "application/json"} | headers)
        )

    async def infer(
        self, body: Any, path: str = "/v2/models/reviews/infer", **headers: str
    ) -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call("POST", path, raw, **headers)


class Words:
    """An engine that finds `good`; `crash` as a text makes it fail, as no engine should."""

    blocking = False

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.calls = 0

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        self.calls += 1
        if "crash" in texts:
            raise RuntimeError("crash")
        return [("positive", 0.9) if "good" in text else ("negative", 0.8) for text in texts]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A registry with `reviews` v1, whose only words are good and bad."""
    table = Table(
        text_version=VERSION, bias=0.0, slope=1.0, offset=0.0, weights={"good": 2.0, "bad": -2.0}
    )
    write(
        tmp_path / "trained", {TABLE: msgspec.json.encode(table)}, name="reviews", version="v1",
        engine="linear", labels=["negative", "positive"],
    )  # fmt: skip
    registry.publish(tmp_path / "trained", str(tmp_path / "registry"))
    return tmp_path / "registry"


@pytest.fixture
def settings(tmp_path: Path, store: Path) -> Settings:
    return Settings(
        app="model-service", track="stable", version="1.2.3", model_name="reviews",
        model_version="v1", model_registry=str(store), model_cache=str(tmp_path / "cache"),
    )  # fmt: skip


@pytest.fixture
def chassis(settings: Settings) -> Chassis[Settings]:
    return Chassis(settings, Telemetry(settings), Health())


@pytest.fixture
def engine(store: Path) -> Words:
    return Words(read(store / "reviews/v1"))


@pytest.fixture
def client(chassis: Chassis[Settings], engine: Words) -> Client:
    metrics = ModelMetrics(chassis.telemetry)
    metrics.loaded(engine.manifest, 0.1)
    app = application(Predictor(chassis.settings, engine, metrics), chassis.health)
    return Client(app, chassis.telemetry)
