"""The same prediction behind other ways to serve: `python -m benchmarks.peers.stack VARIANT PORT`.

Enters: a variant, a port, BENCH_ARTIFACT. Leaves: a server until it is terminated. Shows what
each layer of model-service costs, and so why the layers are what they are.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.servers import HOST
from serinus.contracts.api import ModelInfo, Prediction, PredictRequest, PredictResponse
from serinus.model import engine

_ENGINE = engine.load(Path(os.environ["BENCH_ARTIFACT"]))
_MODEL = ModelInfo(_ENGINE.manifest.name, _ENGINE.manifest.version, _ENGINE.manifest.digest)
_DECODER = msgspec.json.Decoder(PredictRequest)
_ENCODER = msgspec.json.Encoder()


def answer(body: bytes) -> bytes:
    """The least that a prediction needs: no limits, metrics or logs."""
    request = _DECODER.decode(body)
    texts = [request.text or ""] if request.texts is None else request.texts
    return _ENCODER.encode(
        PredictResponse(_MODEL, [Prediction(label, p) for label, p in _ENGINE.predict(texts)])  # type: ignore[arg-type]
    )


async def asgi(_: Any, receive: Any, send: Any) -> None:
    """A bare ASGI handler."""
    data = answer((await receive())["body"])
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def rsgi(scope: Any, protocol: Any) -> None:
    """A bare handler of granian's own interface."""
    if scope.method == "GET":
        protocol.response_empty(200, [])
        return
    data = answer(await protocol())
    protocol.response_bytes(200, [("content-type", "application/json")], data)


async def _routed(request: Request) -> Response:
    return Response(answer(await request.body()), media_type="application/json")


async def _hello(_: Request) -> Response:
    return Response()


async def _ready(_: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    await (_ready if scope["method"] == "GET" else asgi)(scope, receive, send)


async def main(variant: str, port: int) -> None:
    """Serve until SIGTERM."""
    routes = [Route("/v1/predict", _routed, methods=["POST"]), Route("/ready", _hello)]
    app, interface = {
        "starlette": (Starlette(routes=routes), Interfaces.ASGINL),
        "asgi": (_asgi, Interfaces.ASGINL),
        "rsgi": (rsgi, Interfaces.RSGI),
    }[variant]
    server = Server(app, address=HOST, port=port, interface=interface, log_enabled=False)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
