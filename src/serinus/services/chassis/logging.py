"""JSON logs on standard output, one object per line.

Enters: log records and, for requests, the request context. Leaves: lines with time, level, app,
track, request_id and trace_id. Called by `server.run`; services log with the standard library.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from serinus.services.chassis import context
from serinus.services.chassis.settings import ServiceSettings

_ENCODER: Final = msgspec.json.Encoder()
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; `extra` fields are kept under their own names."""

    def __init__(self, app: str, track: str) -> None:
        super().__init__()
        self._identity = {"app": app, "track": track}

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON, without its line break."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._identity,
        }
        request = context.CURRENT.get()
        if request is not None:
            line["request_id"] = request.request_id
            line["trace_id"] = request.trace_id
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = value if isinstance(value, str | int | float | bool) else str(value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line).decode()


class AccessLine(Struct):
    """One answered request, as it stands in the log; `duration_ms` in milliseconds."""

    time: str
    level: str
    logger: str
    message: str
    app: str
    track: str
    request_id: str
    trace_id: str
    method: str
    route: str
    status: int
    duration_ms: float
    caller: str
    assignment: str


class AccessLog:
    """Writes one line per request, past the logging machinery: that costs four times as much."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._app = settings.app
        self._track = settings.track
        self.enabled = settings.access_log and settings.log_level in ("debug", "info")

    def write(
        self,
        request: context.RequestContext,
        method: str,
        route: str,
        status: int,
        seconds: float,
    ) -> None:
        """Write the line of an answered request; nothing when the log is not enabled."""
        if not self.enabled:
            return
        line = AccessLine(
            datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
            "info", "serinus.access", "request", self._app, self._track,
            request.request_id, request.trace_id, method, route, status,
            round(seconds * 1000, 3), request.caller, request.enrolment,
        )  # fmt: skip
        sys.stdout.write(_ENCODER.encode(line).decode() + "\n")
        sys.stdout.flush()


def setup(settings: ServiceSettings) -> None:
    """Send every logger's records to standard output as JSON, from the settings' level on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(settings.app, settings.track))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # The server announces itself as experimental when embedded; what matters is logged by us.
    logging.getLogger("_granian").setLevel("ERROR")
