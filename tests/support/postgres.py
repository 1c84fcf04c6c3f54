"""A real PostgreSQL for tests: its own cluster in a temporary folder, on a Unix socket.

Enters: nothing. Leaves: connection strings of empty databases. Ended by its own process id.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.process import until_said


def find_programs() -> Path | None:
    """The folder of initdb and postgres, `None` where PostgreSQL is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in installed), default=None, key=lambda path: path.parent.name)


class Postgres:
    """A running server; `stop` and `start` keep its data."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        # initdb and postgres refuse to run as root.
        self._user: int | None = None
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam("postgres")
            except KeyError:
                entry = pwd.getpwnam("nobody")
            self._user = entry.pw_uid
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "serinus", "-A", "trust",
             "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, user=self._user, cwd=folder,
        )  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it says that it accepts connections."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "max_connections": "60",
            "shared_buffers": "16MB",
        }
        settings = [part for item in options.items() for part in ("-c", "=".join(item))]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._folder / "data", *settings],
            stderr=subprocess.PIPE, text=True, user=self._user, cwd=self._folder,
            env=os.environ | {"LC_MESSAGES": "C"},
        )  # fmt: skip
        until_said(self._process.stderr, "ready to accept connections")

    def stop(self) -> None:
        """Stop it at once, cutting off its clients."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=30)
        self._process = None

    def url(self, database: str) -> str:
        """The connection string of a database."""
        return f"postgresql://serinus@/{database}?host={self._folder}"

    def create(self) -> str:
        """A new, empty database; returns its connection string."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def running() -> Iterator[Postgres]:
    """A server of its own, gone with its data at the end; skips where none is installed."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="serinus-pg-"))
    try:
        server = Postgres(programs, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
