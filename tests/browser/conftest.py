"""The real app-frontend and app-service in front of a model that does as it is told.

Enters: nothing. Leaves: addresses of four frontends (canary, stable, one whose app-service is
away, one whose app-service answers nonsense) and pages of a real Chromium.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests.support import chromium
from tests.support.process import free_port, until_said

HERE = Path(__file__).parent
MODEL = {"name": "reviews", "version": "v2", "digest": "c" * 64}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if Path(str(item.path)).is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


class _Model(BaseHTTPRequestHandler):
    """Reads `bad` as negative; `[model down]` answers 503; anything but a model's calls is 400."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/version":
            self._say(200, {"app": "model-service", "version": "0.3.0", "track": "canary",
                            "model": MODEL})  # fmt: skip
        else:
            self._say(400, {"title": "Bad request", "status": 400})

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path != "/v1/predict":
            self._say(400, {"title": "Bad request", "status": 400})
            return
        text = json.loads(sent)["text"]
        if "[model down]" in text:
            self._say(503, {"title": "Service unavailable", "status": 503})
            return
        label = "negative" if "bad" in text else "positive"
        self._say(200, {"model": MODEL, "predictions": [{"label": label, "confidence": 0.874}]})

    def _say(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _model() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Model) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def _service(app: str, track: str = "canary", **environment: str) -> Iterator[str]:
    """A service's process until the end of the block; yields its address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", f"serinus.services.{app.replace('-', '_')}"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {
            "SERINUS_APP": app, "SERINUS_TRACK": track, "SERINUS_VERSION": "0.1.0",
            "SERINUS_HOST": "127.0.0.1", "SERINUS_HTTP_PORT": str(port),
            "SERINUS_METRICS_PORT": str(free_port()), "SERINUS_ACCESS_LOG": "false",
            **environment,
        },
    ) as process:  # fmt: skip
        assert process.stdout is not None
        until_said(process.stdout, '"serving"')
        # A full pipe would stop the service.
        reader = threading.Thread(target=process.stdout.read, daemon=True)
        reader.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)
            reader.join()


@dataclass(frozen=True)
class Stack:
    """Addresses of the frontends, and the event store behind two of them."""

    canary: str
    stable: str
    cut_off: str
    puzzled: str
    events: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the event store."""
        with closing(sqlite3.connect(f"file:{self.events}?mode=ro", uri=True)) as store:
            return store.execute(query).fetchall()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("events")
    key = {"SESSION_KEY": "a-session-key-for-tests", "SHOW_CONFIDENCE": "true"}
    with ExitStack() as running:
        start = running.enter_context
        model = start(_model())
        service = start(
            _service("app-service", UNIT_KEY="a-unit-key-for-tests", MODEL_SERVICE_URL=model,
                     SERINUS_DATA_DIR=str(data))
        )  # fmt: skip
        closed = f"http://127.0.0.1:{free_port()}"
        yield Stack(
            canary=start(_service("app-frontend", APP_SERVICE_URL=service, **key)),
            stable=start(
                _service("app-frontend", "stable", APP_SERVICE_URL=service,
                         **key | {"SHOW_CONFIDENCE": "false"})
            ),
            cut_off=start(_service("app-frontend", APP_SERVICE_URL=closed, **key)),
            puzzled=start(_service("app-frontend", APP_SERVICE_URL=model, **key)),
            events=data / "events.db",
        )  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Make a page of a drawn visitor at an address; `scripts=False` turns JavaScript off."""
    contexts: list[BrowserContext] = []

    def make(base: str, *, scripts: bool = True, width: int = 320) -> Page:
        context = browser.new_context(
            base_url=base, java_script_enabled=scripts, viewport={"width": width, "height": 700}
        )
        context.add_cookies([{"name": "app-version", "value": "canary.7.10", "url": base}])
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
