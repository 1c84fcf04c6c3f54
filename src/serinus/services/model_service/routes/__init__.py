"""Every route of model-service, one file each; `open_inference` holds those of the V2 protocol."""

from __future__ import annotations

from starlette.routing import Route

from serinus.services.model_service.routes import open_inference, predict, version


def routes(hot: predict.Predict) -> list[Route]:
    """All routes; `hot` is met here only with another method than POST, which answers 405."""
    return [Route(predict.PATH, hot, methods=["POST"]), version.ROUTE, *open_inference.ROUTES]
