"""The routes of app-service, one file each.

Enters: nothing. Leaves: `ROUTES` for the application and `OPERATIONS` for the API's description;
a route that is not listed here does not exist. Used by `app`.
"""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from serinus.services.app_service.openapi import Operation
from serinus.services.app_service.routes import (
    create_review,
    describe,
    erase_visitor,
    give_feedback,
    read_review,
    record_exposure,
    try_out,
    version,
)

_API: Final = (
    create_review,
    read_review,
    give_feedback,
    record_exposure,
    erase_visitor,
    version,
)

ROUTES: Final[list[Route]] = [
    *(module.ROUTE for module in _API),
    describe.ROUTE,
    *try_out.ROUTES,
]
OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    (module.ROUTE.path, next(iter(sorted((module.ROUTE.methods or set()) - {"HEAD"}))).lower()): (
        module.OPERATION
    )
    for module in _API
}
