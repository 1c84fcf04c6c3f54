"""The Open Inference Protocol V2 over REST, so that existing V2 clients work.

One file per group of routes; errors here are `{"error": ...}`, as the protocol says.
"""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from serinus.services.model_service.routes.open_inference import health, infer, metadata

ROUTES: Final[list[Route]] = [*health.ROUTES, *metadata.ROUTES, *infer.ROUTES]
