"""What app-service is told by its environment.

Enters: environment variables. Leaves: checked settings. Read by `server.run` for `app.build`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from serinus.services.chassis.settings import Secret, ServiceSettings, Url

# Marked as secret because it may contain a password, which no message may repeat.
DatabaseUrl = Annotated[str, Meta(pattern=r"^postgres(ql)?://", description="secret")]


class Settings(ServiceSettings, kw_only=True, frozen=True):
    """Settings of app-service; the store is PostgreSQL with `database_url`, SQLite without."""

    unit_key: Secret = field(name="UNIT_KEY")
    model_service_url: Url = field(name="MODEL_SERVICE_URL", default="http://model-service")
    model_timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = field(
        name="MODEL_TIMEOUT_SECONDS", default=5.0
    )
    data_dir: str = field(name="SERINUS_DATA_DIR", default="")
    database_url: DatabaseUrl = field(name="DATABASE_URL", default="")
