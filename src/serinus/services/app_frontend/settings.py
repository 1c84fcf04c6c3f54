"""What app-frontend is told by its environment.

Enters: environment variables. Leaves: checked settings. Read by `server.run` for `app.build`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from serinus.services.chassis.settings import Secret, ServiceSettings, Url


class Settings(ServiceSettings, kw_only=True, frozen=True):
    """Settings of app-frontend. Both tracks need the same `session_key`: visitors move between."""

    session_key: Secret = field(name="SESSION_KEY")
    app_service_url: Url = field(name="APP_SERVICE_URL", default="http://app-service")
    app_service_timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = field(
        name="APP_SERVICE_TIMEOUT_SECONDS", default=10.0
    )
    show_confidence: bool = field(name="SHOW_CONFIDENCE", default=False)
