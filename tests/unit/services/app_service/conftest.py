"""Stores of both kinds, and an app-service around them with a model that does as it is told."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support import asgi, postgres

from serinus.contracts.api import ModelInfo, Prediction, VersionInfo
from serinus.contracts.routing import Assignment
from serinus.services.app_service import app as app_room
from serinus.services.app_service.identity import Identity
from serinus.services.app_service.metrics import ServiceMetrics
from serinus.services.app_service.predictor import Answer, PredictionError
from serinus.services.app_service.service import Service
from serinus.services.app_service.settings import Settings
from serinus.services.app_service.store.base import NewReview, Origin, Outcome, Store
from serinus.services.chassis.telemetry import Telemetry

MODEL = ModelInfo("reviews", "v1", "a" * 64)
CANARY_7 = Assignment("canary", 7, 10, "assigned")
STABLE_7 = Assignment("stable", 7, 10, "assigned")


def origin(unit: bytes | None = None, assignment: Assignment = CANARY_7, **fields: Any) -> Origin:
    """An origin in one track all the way, unless `fields` say otherwise."""
    track = assignment.arm or "stable"
    base: dict[str, Any] = {
        "client_class": "browser", "frontend_track": track, "service_track": track,
    }  # fmt: skip
    return Origin(unit or secrets.token_bytes(16), assignment, **(base | fields))


def review(by: Origin | None = None, text: str = "Good soup.", **fields: Any) -> NewReview:
    base: dict[str, Any] = {
        "confidence_shown": True, "flags_digest": "f" * 16, "content": text.encode()[:16],
    }  # fmt: skip
    return NewReview(secrets.token_hex(16), by or origin(), text, **(base | fields))


def predicted(by: Origin, label: str = "positive", **fields: Any) -> Outcome:
    base: dict[str, Any] = {
        "label": label, "confidence": 0.9, "model": MODEL, "model_track": by.service_track,
    }  # fmt: skip
    return Outcome(by, True, "f" * 16, **(base | fields))


def failed(by: Origin, reason: str = "The model can't be reached.") -> Outcome:
    return Outcome(by, True, "f" * 16, failure=reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    with postgres.running() as server:
        yield server


BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def store_environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The variables that make app-service use a fresh store of one kind."""
    if request.param == "sqlite":
        return {"SERINUS_DATA_DIR": str(tmp_path / "data")}
    return {"DATABASE_URL": request.getfixturevalue("postgres_server").create()}


@pytest.fixture
def make_store(store_environment: dict[str, str]) -> Callable[[], Store]:
    """Makes stores, not opened yet, of one and the same database."""
    settings = Settings(
        app="app-service", track="canary", unit_key="k" * 16,
        data_dir=store_environment.get("SERINUS_DATA_DIR", ""),
        database_url=store_environment.get("DATABASE_URL", ""),
    )  # fmt: skip
    return lambda: app_room.open_store(settings)


@pytest.fixture
async def store(make_store: Callable[[], Store]) -> AsyncIterator[Store]:
    made = make_store()
    await made.open()
    yield made
    await made.close()


class ScriptedModel:
    """A predictor whose answers are set by the test; `calls` has what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.failure: str | None = None
        self.label: Any = "positive"
        self.during: Callable[[], Any] | None = None

    async def predict(self, text: str, headers: dict[str, str]) -> Answer:
        self.calls.append((text, headers))
        if self.during is not None:
            await self.during()
        if self.failure:
            raise PredictionError(self.failure)
        return Answer(Prediction(self.label, 0.9), MODEL, "model-service/canary")

    async def version(self, headers: dict[str, str]) -> VersionInfo | None:
        return None if self.failure else VersionInfo("model-service", "2", "canary", MODEL)


class Client:
    """An app-service of the canary track over one store; requests by headers, answers as JSON."""

    def __init__(self, store: Store) -> None:
        self.settings = Settings(
            app="app-service", track="canary", version="9", unit_key="k" * 16, access_log=False
        )
        self.store = store
        self.model = ScriptedModel()
        self.identity = Identity(self.settings.unit_key)
        self.telemetry = Telemetry(self.settings)
        metrics = ServiceMetrics(self.telemetry, store)
        service = Service(self.settings, self.identity, store, self.model, metrics)
        self.app = self.telemetry.middleware(app_room.application(service))

    async def ask(self, method: str, path: str, **options: Any) -> asgi.Answer:
        return await asgi.ask(self.app, method, path, **options)

    def visitor(self, user: str | None = None, assignment: str = "canary.7.10") -> dict[str, str]:
        """The headers that app-frontend sends for a visitor."""
        return {
            "x-user": user or secrets.token_hex(16),
            "x-assignment": assignment,
            "x-caller": "app-frontend/canary",
            "x-client-class": "browser",
        }

    async def submit(self, headers: dict[str, str], text: str = "Good soup.") -> Any:
        answer = await self.ask("POST", "/v1/reviews", json={"text": text}, headers=headers)
        assert answer.status == 201, answer.body
        return answer.json()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(name, labels)


@pytest.fixture
async def client(store: Store) -> Client:
    return Client(store)


@pytest.fixture
async def sqlite_client(tmp_path: Path) -> AsyncIterator[Client]:
    """For what doesn't depend on the kind of store."""
    async with AsyncExitStack() as stack:
        made = app_room.open_store(
            Settings(app="app-service", track="canary", unit_key="k" * 16, data_dir=str(tmp_path))
        )
        await made.open()
        stack.push_async_callback(made.close)
        yield Client(made)
