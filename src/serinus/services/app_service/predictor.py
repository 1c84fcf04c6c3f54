"""Asks model-service for a prediction.

Enters: a text and the headers of the request being answered. Leaves: a prediction with its model,
or a PredictionError that says in words why there is none. Used by the routes; a test may put
another `Predictor` in its place.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import msgspec
from msgspec import Struct

from serinus.contracts.api import ModelInfo, Prediction, PredictResponse, VersionInfo

_LOG = logging.getLogger("serinus.predictor")
_ENCODER: Final = msgspec.json.Encoder()
_RESPONSE: Final = msgspec.json.Decoder(PredictResponse)
_VERSION: Final = msgspec.json.Decoder(VersionInfo)
_JSON: Final = {"content-type": "application/json"}
VERSION_TIMEOUT: Final = aiohttp.ClientTimeout(total=1.0)


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


class ModelService:
    """model-service over HTTP; `timeout` is in seconds and covers a whole call."""

    def __init__(self, url: str, timeout: float) -> None:  # set once for all
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._seconds = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            # What is not decompressed must not come compressed.
            headers={"accept-encoding": "identity"},
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def predict(self, text: str, headers: dict[str, str]) -> Answer:
        """See `Predictor.predict`."""
        body = _ENCODER.encode({"text": text})
        try:
            status, raw, served_by = await self._post(body, headers | _JSON)
        except TimeoutError as error:
            raise PredictionError(f"The model didn't answer within {self._seconds:g} s.") from error
        except aiohttp.ClientError as error:
            _LOG.warning("model-service is out of reach", extra={"error": repr(error)})
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
        return Answer(answer.predictions[0], answer.model, served_by)

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, str]:
        assert self._session is not None  # noqa: S101  # entered by app.build
        for attempt in (1, 2):
            try:
                async with self._session.post(
                    f"{self._url}/v1/predict", data=body, headers=headers, allow_redirects=False
                ) as response:
                    served_by = response.headers.get("x-served-by", "")
                    return response.status, await response.read(), served_by
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # A kept connection may be closed just when it is used again; a second prediction
                # of the same text harms nobody.
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    async def version(self, headers: dict[str, str]) -> VersionInfo | None:
        """See `Predictor.version`; waits at most a second."""
        assert self._session is not None  # noqa: S101  # entered by app.build
        try:
            async with self._session.get(
                f"{self._url}/version", headers=headers, timeout=VERSION_TIMEOUT
            ) as response:
                return _VERSION.decode(await response.read()) if response.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, msgspec.DecodeError, UnicodeDecodeError):
            return None
