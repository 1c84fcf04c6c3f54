"""The state directory: everything a run on one machine keeps.

Enters: its path. Leaves: paths, atomic writes, the run's settings, generated secrets, and the
record of started processes that lets a later command clean up after a killed supervisor. Called by
`serinus.local.session` and `serinus.local.daemon`.

    settings.json    port, block of addresses, outbound ports, values given by the user
    secrets.yaml     generated once, 0600          overlay.yaml  what `serinus rollout` decided
    rendered.yaml    the chart as rendered         plan.json     the plan in force, 0600
    processes.json   pid and start time of each    control.sock  the supervisor's socket
    logs/ envoy/ config/ pods/ volumes/<claim>/ registry/
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct

from serinus.errors import LocalRunError

DEFAULT_PORT: Final = 8080
RUN_VARIABLE: Final = "SERINUS_RUN"
"""In the environment of every process of a run: the state directory's path."""


class Settings(Struct, kw_only=True):
    """What a run remembers between commands."""

    port: int = DEFAULT_PORT
    block: str = ""
    outbound: dict[str, int] = {}
    values: dict[str, Any] = {}
    chart: str = ""


class Recorded(Struct, frozen=True):
    """A started process: `started` is its creation time in seconds since 1970."""

    name: str
    pid: int
    started: float


class Workspace:
    """The state directory of one run."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 -- resolve() would follow links

    def path(self, *parts: str) -> Path:
        """A path below the state directory."""
        return self.root.joinpath(*parts)

    @property
    def exists(self) -> bool:
        """Whether a run was ever started here."""
        return self.path("settings.json").exists()

    def create(self) -> None:
        """Make the directory, readable by its owner alone."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("logs", "envoy", "volumes", "pods"):
                self.path(name).mkdir(exist_ok=True)
        except OSError as error:
            raise LocalRunError(
                f"the state directory cannot be made: {error.strerror}",
                where=str(self.root),
                remedy="choose another with --state",
            ) from error

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> bool:
        """Write a file by atomic rename unless it has this content; tells whether it changed."""
        return write(self.path(name), text, mode)

    def settings(self) -> Settings:
        """The remembered settings, or defaults."""
        try:
            return msgspec.json.decode(self.path("settings.json").read_bytes(), type=Settings)
        except FileNotFoundError:
            return Settings()
        except msgspec.MsgspecError as error:
            raise LocalRunError(
                f"is damaged: {error}",
                where=str(self.path("settings.json")),
                remedy="remove that file; the run then starts from its defaults",
            ) from error

    def save(self, settings: Settings) -> None:
        """Remember settings; values may hold secrets, so the file is its owner's."""
        self.write("settings.json", msgspec.json.encode(settings), 0o600)

    def secrets(self) -> dict[str, str]:
        """The generated keys, made at the first call and kept."""
        path = self.path("secrets.yaml")
        if not path.exists():
            keys = {name: secrets.token_hex(32) for name in ("sessionKey", "unitKey")}
            self.write("secrets.yaml", yaml.safe_dump(keys), 0o600)
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in kept.items()}

    def record(self, processes: list[Recorded]) -> None:
        """Remember the processes that run now."""
        self.write("processes.json", msgspec.json.encode(processes))

    def recorded(self) -> list[Recorded]:
        """The processes of the last record; empty when there is none."""
        try:
            return msgspec.json.decode(
                self.path("processes.json").read_bytes(), type=list[Recorded]
            )
        except (FileNotFoundError, msgspec.MsgspecError):
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one command at a time."""
        with self.path("lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def supervised(self) -> bool:
        """Whether a supervisor holds this directory."""
        try:
            with self.path("supervisor.lock").open("a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def write(path: Path, text: str | bytes, mode: int = 0o644) -> bool:
    """Write by atomic rename unless the file has this content already."""
    data = text.encode() if isinstance(text, str) else text
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def dump(value: Any) -> str:
    """JSON for people: two spaces, keys in order."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
