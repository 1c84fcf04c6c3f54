"""POST /privacy/erase: delete the texts of a visitor's reviews and every link to them.

Enters: `confirm=yes` from a box that the visitor ticks. Leaves: 303 to the privacy page, and the
end of the visitor's id. `app-version` stays: it names a track, not a person.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serinus.services.app_frontend import forms
from serinus.services.app_frontend.api import UnavailableError
from serinus.services.app_frontend.errors import Retry, error_page, unavailable
from serinus.services.app_frontend.pages import of, visit_of
from serinus.services.app_frontend.routes.privacy import page


async def erase(request: Request) -> Response:
    """See the module."""
    fields = await forms.read(request)
    visit = visit_of(request)
    if not forms.token_accepted(request, fields):
        return await error_page(request, 403, retry=Retry("/privacy", "Back", method="get"))
    if fields.get("confirm") != "yes":
        problem = "Tick the box to erase your reviews."
        return await page(request, 422, problem=problem)
    try:
        erasure = await of(request).reviews.erase(visit)
    except UnavailableError as error:
        retry = Retry(request.url.path, "Erase again", fields={"confirm": "yes"})
        return await unavailable(request, error, retry)
    headers = {"set-cookie": visit.delete_cookie()}
    return RedirectResponse(f"/privacy?erased={erasure.reviews}", 303, headers)


ROUTE: Final = Route("/privacy/erase", erase, methods=["POST"])
