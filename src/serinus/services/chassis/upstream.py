"""Calls to the next service, with one way to go wrong for each thing that a caller can say.

Enters: a request whose headers the caller made (`context.RequestContext.outgoing` and its own).
Leaves: the answer whatever its status, or an UpstreamError. Extended by the clients of app-frontend
and app-service; model-service calls nobody, and its image holds neither this nor aiohttp.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self

import aiohttp
import msgspec

_ENCODER: Final = msgspec.json.Encoder()
VERSION_TIMEOUT: Final = 1.0
"""Seconds that `GET /version` may take: a page waits for it."""


class UpstreamError(Exception):
    """No answer came."""


class TookTooLongError(UpstreamError):
    """The time ran out."""


class OutOfReachError(UpstreamError):
    """The connection failed; the message is aiohttp's error."""


class Received(NamedTuple):
    """An answer; names of `headers` are found in any case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Upstream:
    """A service over HTTP, called while this is entered; `timeout` is in seconds for a whole call.

    Calls must be idempotent: one may be sent twice.
    """

    def __init__(self, url: str, timeout: float) -> None:  # set once for all
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
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

    async def call(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        headers: Mapping[str, str],
        content: Any = None,
        within: float | None = None,
    ) -> Received:
        """Ask once, `content` as JSON; `within` are the seconds of this call, if not as for all.

        Raises TookTooLongError or OutOfReachError. Redirects are answers like any other.
        """
        body = None
        if content is not None:
            body = _ENCODER.encode(content)
            headers = {**headers, "content-type": "application/json"}
        timeout = self._timeout if within is None else aiohttp.ClientTimeout(total=within)
        send = partial(self._send, method, path, headers, body, timeout)
        try:
            try:
                return await send()
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # A kept connection may be closed just when it is used again.
                return await send()
        except TimeoutError as error:
            raise TookTooLongError(repr(error)) from error
        except (aiohttp.ClientError, ConnectionResetError) as error:
            raise OutOfReachError(repr(error)) from error

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        within: aiohttp.ClientTimeout,
    ) -> Received:
        assert self._session is not None  # noqa: S101  # entered by a service's app.build
        async with self._session.request(
            method,
            self._url + path,
            data=body,
            headers=headers,
            timeout=within,
            allow_redirects=False,
        ) as response:
            return Received(response.status, await response.read(), response.headers)
