"""JSON logs on standard output, one object per line.

Enters: log records and, for requests, the request context. Leaves: lines with time, level, app,
track, request_id and trace_id. Called by `server.run`; services log with the standard library.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Final

import msgspec

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


def setup(settings: ServiceSettings) -> None:
    """Send every logger's records to standard output as JSON, from the settings' level on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(settings.app, settings.track))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # The server announces itself as experimental when embedded; what matters is logged by us.
    logging.getLogger("_granian").setLevel("ERROR")
