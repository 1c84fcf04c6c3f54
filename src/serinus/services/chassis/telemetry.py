"""Metrics and request accounting: the ASGI layer around each service.

Enters: ASGI requests and the declarations of `contracts.metrics`. Leaves: Prometheus exposition
with `app` and `track` on every series, one access-log line per request, and the headers
`x-served-by` and `x-request-id` on every answer. Built by `server.run`, used by all services.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric as Family

from serinus.contracts import metrics
from serinus.services.chassis.context import CURRENT, RequestContext, header_map
from serinus.services.chassis.logging import AccessLog
from serinus.services.chassis.settings import ServiceSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# A second series for every counter and histogram, for nothing: resets are seen without it.
disable_created_metrics()  # type: ignore[no-untyped-call]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """One service's metrics; `counter`, `gauge` and `histogram` register a declaration."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.identity = f"{settings.app}/{settings.track}"
        self._track = settings.track
        self._labels = {"app": settings.app, "track": settings.track}
        self._access = AccessLog(settings)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.gauge(metrics.BUILD_INFO).labels(settings.version).set(1)
        self._requests = self.counter(metrics.HTTP_REQUESTS)
        self._duration = self.histogram(metrics.HTTP_DURATION)
        self._mixed = self.counter(metrics.MIXED_TRACK)
        self._scraping: list[Callable[[], Awaitable[None]]] = []
        self._children: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}
        self.in_flight = 0
        self.gauge(metrics.HTTP_IN_FLIGHT).set_function(lambda: self.in_flight)

    def counter(self, metric: metrics.Metric) -> Counter:
        """Register a declared counter; its labels' known values should be touched at start."""
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def gauge(self, metric: metrics.Metric) -> Gauge:
        """Register a declared gauge."""
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def histogram(self, metric: metrics.Metric) -> Histogram:
        """Register a declared histogram with its buckets, in seconds unless its name says else."""
        return Histogram(
            metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self.registry
        )

    def collect(self) -> Iterator[Family]:
        """Every family with `app` and `track` added to each sample."""
        for family in self.registry.collect():
            family.samples = [
                sample._replace(labels={**sample.labels, **self._labels})
                for sample in family.samples
            ]
            yield family

    def exposition(self) -> bytes:
        """The text format that Prometheus scrapes, `text/plain; version=0.0.4`."""
        return generate_latest(self)

    def on_scrape(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Await `refresh` before each exposition; it handles its own failures."""
        self._scraping.append(refresh)

    async def scrape(self) -> bytes:
        """The exposition, after everything registered with `on_scrape` was refreshed."""
        for refresh in self._scraping:
            await refresh()
        return self.exposition()

    def expect_callers(self, *apps: str) -> None:
        """Start the mixed-track counters of these callers at 0."""
        for app in apps:
            self._mixed.labels(app)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Wrap `app` so that each HTTP request is counted, timed, logged and identified."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            started = time.perf_counter()
            request = RequestContext(header_map(scope))
            token = CURRENT.set(request)
            self._count_mixed(request)
            status = 500
            self.in_flight += 1

            async def answer(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    served_by = ", ".join((self.identity, *request.served_by))
                    message["headers"] = [
                        *message.get("headers", ()),
                        (b"x-served-by", served_by.encode("latin-1", "replace")),
                        (b"x-request-id", request.request_id.encode()),
                    ]
                await send(message)

            try:
                await app(scope, receive, answer)
            finally:
                self.in_flight -= 1
                self._account(scope, request, status, time.perf_counter() - started)
                CURRENT.reset(token)

        return handle

    def _count_mixed(self, request: RequestContext) -> None:
        app, _, track = request.caller.partition("/")
        if track and track != self._track:
            self._mixed.labels(app).inc()
            logging.getLogger("serinus.track").warning(
                "a caller of another track", extra={"caller": request.caller}
            )

    def _account(self, scope: Scope, request: RequestContext, status: int, seconds: float) -> None:
        # Any word is a valid method; each would be a series of its own.
        method: str = scope["method"] if scope["method"] in _METHODS else "other"
        route: str = request.route or str(getattr(scope.get("route"), "path", "unmatched"))
        key = (route, method, status, request.enrolment)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(route, method, status, request.enrolment),
                self._duration.labels(route, request.enrolment),
            )
        children[0].inc()
        children[1].observe(seconds)
        self._access.write(request, method, route, status, seconds)
