"""The visitor's addresses, one file each; docs/architecture.md lists them."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from serinus.services.app_frontend.routes import (
    asset,
    create_review,
    erase,
    exposure,
    give_feedback,
    privacy,
    read_review,
    robots,
    version,
    write,
)

ROUTES: Final[list[BaseRoute]] = [
    write.ROUTE,
    create_review.ROUTE,
    read_review.ROUTE,
    give_feedback.ROUTE,
    exposure.ROUTE,
    asset.ROUTE,
    privacy.ROUTE,
    erase.ROUTE,
    version.ROUTE,
    robots.ROUTE,
]
