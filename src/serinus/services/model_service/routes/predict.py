"""POST /v1/predict: one text or a list, the hot path of the whole system.

A bare ASGI application: routing and request objects would cost more than the prediction itself
(docs/benchmarks.md has the figures).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from serinus.contracts.api import FieldProblem, Prediction, PredictRequest, PredictResponse
from serinus.services.chassis import context
from serinus.services.chassis.http import (
    ProblemError,
    crash_response,
    decoded,
    problem_response,
)
from serinus.services.chassis.telemetry import Receive, Scope, Send
from serinus.services.model_service.predictor import MAX_BODY_BYTES, InputError, Predictor

PATH: Final = "/v1/predict"
_DECODER: Final = msgspec.json.Decoder(PredictRequest)
_ENCODER: Final = msgspec.json.Encoder()


class Predict:
    """The route; one instance for the predictor that it serves."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._model = predictor.model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = context.CURRENT.get()
        if request is not None:
            request.route = PATH
        try:
            data = await self._answer(scope, receive)
        except ProblemError as error:
            await problem_response(error, PATH)(scope, receive, send)
            return
        except Exception as error:
            await crash_response(error, PATH)(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(data)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        _check_headers(scope["headers"])
        body = decoded(await read(receive), _DECODER)
        if body.text is not None and body.texts is None:
            texts, single = [body.text], True
        elif body.texts is not None and body.text is None:
            texts, single = body.texts, False
        else:
            raise ProblemError(422, "Give either text or texts.", errors=[
                FieldProblem("text", "Give either text or texts.")
            ])  # fmt: skip
        try:
            results = await self._predictor.predict(texts)
        except InputError as error:
            index = "" if error.index is None else f"[{error.index}]"
            problem = FieldProblem("text" if single else f"texts{index}", error.detail)
            raise ProblemError(422, error.detail, errors=[problem]) from error
        return _ENCODER.encode(
            PredictResponse(
                self._model,
                [Prediction(label, confidence) for label, confidence in results],  # type: ignore[arg-type]  # a brought model has labels of its own
            )
        )


def _check_headers(headers: Any) -> None:
    kind = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-length" and value.isdigit() and int(value) > MAX_BODY_BYTES:
            raise _too_large()
    if kind != b"application/json" and (
        kind.partition(b";")[0].strip().lower() != b"application/json"
    ):
        raise ProblemError(415, "Send the body as application/json.")


async def read(receive: Receive) -> bytes:
    """The whole body; ProblemError beyond MAX_BODY_BYTES and when the client goes away."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        return body
    chunks, size = [], 0
    while True:
        if message["type"] != "http.request":
            raise ProblemError(400, "The body ended early.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await receive()


def _too_large() -> ProblemError:
    return ProblemError(413, f"The body may have at most {MAX_BODY_BYTES} bytes.")
