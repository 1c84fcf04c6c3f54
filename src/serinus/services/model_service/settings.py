"""What model-service is told by its environment.

Enters: environment variables. Leaves: checked settings. Read by `server.run` for `app.build`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from serinus.contracts.artifact import Name
from serinus.services.chassis.settings import ServiceSettings

Registry = Annotated[
    str, Meta(pattern=r"^(https?://[^/\s]+(/\S*)?|(?![A-Za-z][A-Za-z0-9+.-]*://).+)$")
]
"""A directory, or an http(s) address."""


class Settings(ServiceSettings, kw_only=True, frozen=True):
    """Settings of model-service: which model, where it comes from and where it is kept."""

    model_name: Name = field(name="MODEL_NAME")
    model_version: Name = field(name="MODEL_VERSION")
    model_registry: Registry = field(name="MODEL_REGISTRY")
    model_cache: str = field(name="MODEL_CACHE")
