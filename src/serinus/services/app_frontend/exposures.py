"""Records that a visitor met what their arm shows, without ever costing them the page.

Enters: a visit and a trigger. Leaves: nothing; a failure is logged. Used by the routes that show
the page and the result.
"""

from __future__ import annotations

import logging
from typing import Final

from serinus.contracts.routing import Trigger
from serinus.services.app_frontend.api import RefusedError, Reviews, UnavailableError
from serinus.services.app_frontend.identity import Visit

_LOG: Final = logging.getLogger("serinus.app_frontend.exposures")


async def record(reviews: Reviews, visit: Visit, trigger: Trigger) -> None:
    """Record an exposure of a visitor who is enrolled; of anybody else nothing is recorded."""
    if not visit.enrolled:
        return
    try:
        await reviews.expose(visit, trigger)
    except (UnavailableError, RefusedError) as error:
        _LOG.warning("an exposure was not recorded", extra={"trigger": trigger, "why": str(error)})
