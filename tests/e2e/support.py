"""Handles for whole-system tests: run the command line, ask the gateway, read the store.

Enters: a state directory and a port. Leaves: answers of the running system.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import hdrs

from serinus.local.session import System, running

FRONTEND = "app-frontend.localhost"
API = "app-service.localhost"


@dataclass(frozen=True)
class Answer:
    """One answer of the gateway. `cookies` are those that it set."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: dict[str, str]

    @property
    def hops(self) -> list[str]:
        """`<app>/<track>` of each hop, nearest first."""
        return [hop.strip() for hop in self.headers.get("x-served-by", "").split(",") if hop]

    @property
    def tracks(self) -> set[str]:
        """The tracks that served it."""
        return {hop.partition("/")[2] for hop in self.hops}

    @property
    def track(self) -> str:
        """The one track that served it."""
        (track,) = self.tracks
        return track

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass
class Run:
    """One state directory with a running system."""

    state: Path
    port: int
    output: str = field(default="", init=False)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "serinus.cli.main", *arguments, "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def serinus_any(self, *arguments: str) -> str:
        """What a command prints, whatever its exit code."""
        return self._run(*arguments).stdout

    def serinus(self, *arguments: str, code: int = 0) -> str:
        """Run a command on this state directory; fails the test on another exit code."""
        done = self._run(*arguments)
        assert done.returncode == code, (
            f"serinus {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    @property
    def system(self) -> System:
        """What runs, as the command line sees it."""
        return running(self.state)

    @property
    def epoch(self) -> int:
        """The epoch in force."""
        overlay = yaml.safe_load((self.state / "overlay.yaml").read_text())
        return int(overlay["rollout"]["epoch"])

    def rows(self) -> list[dict[str, Any]]:
        """`serinus status --json`."""
        done = self._run("status", "--json")
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def pid_of(self, app: str, track: str) -> int:
        """The process of one workload."""
        (row,) = [r for r in self.rows() if (r["app"], r["track"]) == (app, track)]
        return int(row["pid"])

    @staticmethod
    def kill(pid: int) -> None:
        """End a process of the system without a chance to say anything."""
        os.kill(pid, signal.SIGKILL)

    async def until_ready(self, app: str, track: str, other_than: int) -> None:
        """Wait until another process of the workload is ready."""

        def again() -> bool:
            found = json.loads(self.serinus_any("status", "--json"))
            return any(
                (r["app"], r["track"], r["state"]) == (app, track, "ready")
                and r["pid"] != other_than
                for r in found
            )

        await eventually(again)

    @asynccontextmanager
    async def visitor(self, address: str = "127.192.0.1") -> AsyncIterator[Asker]:
        """Connections from one loopback address."""
        connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=30),
        ) as session:
            yield Asker(session, self.port)

    def events(self) -> Path:
        """The SQLite file of the event store."""
        (path,) = self.state.rglob("events.db")
        return path

    def rows_of(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the event store, read beside the running service."""
        with closing(sqlite3.connect(f"file:{self.events()}?mode=ro", uri=True)) as store:
            return store.execute(query, parameters).fetchall()


@dataclass(frozen=True)
class Asker:
    """Asks the gateway, with Host and cookies given by hand; never follows a redirect."""

    session: aiohttp.ClientSession
    port: int

    async def __call__(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        host: str = FRONTEND,
        cookie: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Answer:
        sent = {"host": f"{host}:{self.port}", "accept": "text/html", **(headers or {})}
        if cookie is not None:
            sent["cookie"] = cookie
        async with self.session.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            headers=sent,
            allow_redirects=False,
            **body,
        ) as answer:
            cookies = {
                name: morsel.value
                for header in answer.headers.getall(hdrs.SET_COOKIE, [])
                for name, morsel in SimpleCookie(header).items()
            }
            return Answer(
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                await answer.text(errors="replace"),
                cookies,
            )


def joined(cookies: dict[str, str]) -> str:
    """A Cookie header."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def eventually(check: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until `check` holds; what it watches lies in another process and gives no event."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"not within {seconds} s"
        await asyncio.sleep(0.05)
