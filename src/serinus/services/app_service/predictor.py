"""Asks model-service for a prediction.

Enters: a text and the headers of the request being answered. Leaves: a prediction with its model,
or a PredictionError that says in words why there is none. Used by the routes; a test may put
another `Predictor` in its place.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from serinus.contracts import routing
from serinus.contracts.api import ModelInfo, Prediction, PredictResponse, VersionInfo
from serinus.services.chassis.upstream import (
    VERSION_TIMEOUT,
    OutOfReachError,
    TookTooLongError,
    Upstream,
    UpstreamError,
)

_LOG = logging.getLogger("serinus.predictor")
_RESPONSE: Final = msgspec.json.Decoder(PredictResponse)
_VERSION: Final = msgspec.json.Decoder(VersionInfo)


class PredictionError(Exception):
    """There is no prediction; the message says why, for the visitor and the store."""


class Answer(Struct, frozen=True):
    """A prediction, the model that made it, and the header `x-served-by` of the answer."""

    prediction: Prediction
    model: ModelInfo
    served_by: str


class Predictor(Protocol):
    """What can predict a sentiment."""

    async def predict(self, text: str, headers: dict[str, str]) -> Answer:
        """Predict one text; raises PredictionError."""

    async def version(self, headers: dict[str, str]) -> VersionInfo | None:
        """Who predicts; `None` while it cannot be reached."""


class ModelService(Upstream):
    """model-service over HTTP; `timeout` is in seconds and covers a whole call."""

    def __init__(self, url: str, timeout: float) -> None:  # set once for all
        super().__init__(url, timeout)
        self._seconds = timeout

    async def predict(self, text: str, headers: dict[str, str]) -> Answer:
        """See `Predictor.predict`."""
        try:
            status, raw, answered = await self.call("POST", "/v1/predict", headers, {"text": text})
        except TookTooLongError as error:
            raise PredictionError(f"The model didn't answer within {self._seconds:g} s.") from error
        except OutOfReachError as error:
            _LOG.warning("model-service is out of reach", extra={"error": str(error)})
            raise PredictionError("The model can't be reached.") from error
        if status != 200:
            _LOG.warning("model-service refused", extra={"status": status})
            raise PredictionError(f"The model answered with status {status}.")
        try:
            answer = _RESPONSE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PredictionError("The model's answer makes no sense.") from error
        if len(answer.predictions) != 1:
            raise PredictionError("The model's answer makes no sense.")
        served_by = answered.get(routing.HEADER_SERVED_BY, "")
        return Answer(answer.predictions[0], answer.model, served_by)

    async def version(self, headers: dict[str, str]) -> VersionInfo | None:
        """See `Predictor.version`; waits at most a second."""
        try:
            status, raw, _ = await self.call("GET", "/version", headers, within=VERSION_TIMEOUT)
            return _VERSION.decode(raw) if status == 200 else None
        except (UpstreamError, msgspec.DecodeError, UnicodeDecodeError):
            return None
