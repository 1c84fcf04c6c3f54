"""A service's configuration, read from the environment and checked all at once.

Enters: a settings type (a msgspec Struct whose fields name their variable) and the environment.
Leaves: the settings, or one SettingsError that lists every wrong value. Called by `server.run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from serinus.errors import SettingsError

Port = Annotated[int, Meta(ge=0, le=65_535)]
"""0 lets the system choose: used by tests."""
Url = Annotated[str, Meta(pattern=r"^https?://[^/\s]+(/\S*)?$")]
Secret = Annotated[str, Meta(min_length=16, description="secret")]
"""At least 16 characters; its value never appears in a message."""


class ServiceSettings(Struct, kw_only=True, frozen=True):
    """What every service is told: who it is and where it listens.

    A subclass adds its own fields; each names its environment variable with `field(name=...)`.
    """

    app: str = field(name="SERINUS_APP")
    track: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = field(name="SERINUS_TRACK")
    version: str = field(name="SERINUS_VERSION", default="unknown")
    host: str = field(name="SERINUS_HOST", default="0.0.0.0")
    http_port: Port = field(name="SERINUS_HTTP_PORT", default=8080)
    metrics_port: Port = field(name="SERINUS_METRICS_PORT", default=9090)
    log_level: Literal["debug", "info", "warning", "error"] = field(
        name="SERINUS_LOG_LEVEL", default="info"
    )
    access_log: bool = field(name="SERINUS_ACCESS_LOG", default=True)
    shutdown_seconds: Annotated[float, Meta(ge=0, le=600)] = field(
        name="SERINUS_SHUTDOWN_SECONDS", default=25.0
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load(settings_type: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Read `settings_type` from `environ`.

    An empty value counts as absent. Raises SettingsError naming every variable that is missing or
    wrong, each with what was expected.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for spec in msgspec.structs.fields(settings_type):
        name = spec.encode_name
        text = environ.get(name, "")
        if not text:
            if spec.required:
                problems.append(f"{name} is missing")
            continue
        try:
            values[spec.name] = msgspec.convert(text, spec.type, strict=False)
        except msgspec.ValidationError as error:
            shown = "the value" if _is_secret(spec.type) else repr(text)
            problems.append(f"{name}: {shown} is wrong: {_lower(str(error))}")
    if problems:
        raise SettingsError(
            "\n  ".join(["cannot start:", *problems]),
            where="environment",
            remedy="Set the variables named above; docs/architecture.md lists all of them.",
        )
    return settings_type(**values)


def _is_secret(kind: object) -> bool:
    return any(
        isinstance(item, Meta) and item.description == "secret"
        for item in getattr(kind, "__metadata__", ())
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
