"""Finds the model that a V2 path names."""

from __future__ import annotations

from starlette.requests import Request

from serinus.services.chassis.http import ProblemError
from serinus.services.model_service.predictor import Predictor


def named(request: Request) -> Predictor:
    """The predictor of the path's `name` and, where given, `version`; ProblemError of 404."""
    predictor: Predictor = request.app.state.predictor
    manifest = predictor.manifest
    name = request.path_params["name"]
    version = request.path_params.get("version", manifest.version)
    if name != manifest.name:
        raise ProblemError(404, f"there is no model {name!r} here, only {manifest.name!r}")
    if version != manifest.version:
        raise ProblemError(
            404, f"there is no version {version!r} of {name!r} here, only {manifest.version!r}"
        )
    return predictor
