"""The talk between a command and the supervisor, over a Unix socket in the state directory.

Enters: one request, a JSON object on one line. Leaves: JSON lines until the answer is complete:
`{"rows": [...]}` for progress, then `{"done": true}` or `{"error": {...}}`. The server side is in
`serinus.local.daemon`; `Client` is used by `serinus.local.session`. Only the directory's owner can
reach the socket.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from serinus.errors import LocalRunError
from serinus.local.fleet import Row
from serinus.local.plan import Plan
from serinus.local.workspace import Workspace

SOCKET: Final = "control.sock"
STOP_SILENCE: Final = 60.0
"""Seconds without a word after which a supervisor that was to stop counts as hanging."""
LIMIT: Final = 64 * 1024 * 1024
"""Bytes of the longest line: a plan carries the rendered chart."""


class Apply(Struct, tag="apply"):
    """Make this plan true; see `Supervisor.apply`. `files` are written when it is in force."""

    plan: Plan
    files: dict[str, str] = {}
    base: str = ""
    wait_all: bool = True


class Watch(Struct, tag="status"):
    """Tell how the processes are; `follow` goes on telling at each change."""

    follow: bool = False


class Stop(Struct, tag="stop"):
    """End all processes, then the supervisor."""


Request = Apply | Watch | Stop


class Failure(Struct):
    """A `SerinusError` on the wire."""

    what: str
    where: str = ""
    remedy: str = ""


class Reply(Struct, omit_defaults=True):
    """One line of an answer."""

    rows: list[Row] | None = None
    done: bool = False
    error: Failure | None = None


def connect(workspace: Workspace) -> socket.socket:
    """Reach the supervisor; raises `LocalRunError` when none answers."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(workspace.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A socket's path may have 107 bytes; this one is short whatever the directory's is.
        connection.connect(f"/proc/self/fd/{directory}/{SOCKET}")
    except OSError as error:
        connection.close()
        raise LocalRunError(
            f"the supervisor does not answer: {error.strerror}",
            where=str(workspace.root),
            remedy="`serinus up` starts it",
        ) from error
    finally:
        os.close(directory)
    return connection


def ask(workspace: Workspace, request: Request) -> Iterator[list[Row]]:
    """Send a request and yield the rows of each answer until it is complete.

    Raises the supervisor's error, or `LocalRunError` when it goes away in between.
    """
    with connect(workspace) as connection, connection.makefile("rb") as lines:
        connection.settimeout(STOP_SILENCE if isinstance(request, Stop) else None)
        connection.sendall(msgspec.json.encode(request) + b"\n")
        while line := _line(lines, workspace):
            reply = msgspec.json.decode(line, type=Reply)
            if reply.error:
                raise LocalRunError(
                    reply.error.what, where=reply.error.where, remedy=reply.error.remedy
                )
            if reply.rows is not None:
                yield reply.rows
            if reply.done:
                return
    if not isinstance(request, Stop):
        raise LocalRunError(
            "the supervisor ended before it answered",
            where=str(workspace.root),
            remedy=f"its log: {workspace.path('logs', 'supervisor.log')}",
        )


def _line(lines: BinaryIO, workspace: Workspace) -> bytes:
    try:
        return lines.readline()
    except TimeoutError as error:
        raise LocalRunError(
            f"the supervisor has said nothing for {STOP_SILENCE:.0f} s", where=str(workspace.root)
        ) from error


def shown(value: Any) -> str:
    """One line of JSON, for `serinus status --json`."""
    return json.dumps(msgspec.to_builtins(value))
