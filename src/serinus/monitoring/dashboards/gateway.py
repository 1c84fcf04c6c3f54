"""Dashboard *Gateway*: what comes in.

Enters: nothing. Leaves: `BOARD`. Called by `serinus.monitoring.dashboards`.
"""

from __future__ import annotations

from typing import Final

from serinus.monitoring.dashboards.panels import (
    MESH,
    RELEASE,
    WINDOW,
    Board,
    Panel,
    Query,
    quantile,
    ratio,
)

# Whoever is no part of the application calls from outside, whatever the gateway's pods are called.
OUTSIDE: Final = f'{MESH}, source_app!~"app-frontend|app-service|model-service"'
REQUESTS: Final = f"rate(istio_requests_total{{{OUTSIDE}}}[{WINDOW}])"
LIMITED: Final = (
    f'rate(serinus_gateway_rate_limit_total{{{RELEASE}, outcome="rate_limited"}}[{WINDOW}])'
)
COUNTED: Final = f"rate(serinus_gateway_rate_limit_total{{{RELEASE}}}[{WINDOW}])"

TRAFFIC: Final = (
    Panel(
        "Requests",
        "Requests per second from the gateway to each service, by track.",
        "reqps",
        (Query(f"sum by (app, track) ({REQUESTS})", "{{app}} {{track}}"),),
    ),
    Panel(
        "Status codes",
        "Answers per second at the gateway, by status code.",
        "reqps",
        (Query(f"sum by (response_code) ({REQUESTS})", "{{response_code}}"),),
    ),
    Panel(
        "Latency, 95th percentile",
        "Time from the gateway to a service and back.",
        "ms",
        (
            Query(
                quantile(0.95, "istio_request_duration_milliseconds", OUTSIDE, "app, track"),
                "{{app}} {{track}}",
            ),
        ),
        warn=500,
        bad=1000,
    ),
    Panel(
        "Draws",
        "New visitors drawn per second, by track.",
        "short",
        (
            Query(
                f"sum by (track) (rate(serinus_assignments_total{{{RELEASE}}}[{WINDOW}]))",
                "{{track}}",
            ),
        ),
        width=12,
    ),
    Panel(
        "Share of requests per track",
        "Share of the requests to app-frontend that each track served.",
        "percentunit",
        (
            Query(
                f'sum by (track) (rate(istio_requests_total{{app="app-frontend", {OUTSIDE}}}'
                f"[{WINDOW}])) / ignoring (track) group_left () "
                f'sum(rate(istio_requests_total{{app="app-frontend", {OUTSIDE}}}[{WINDOW}]))',
                "{{track}}",
            ),
        ),
        width=12,
    ),
)

LIMITS: Final = (
    Panel(
        "Rate limited",
        "Requests per second that the gateway answered 429, and those that it let through.",
        "reqps",
        (Query(f"sum by (outcome) ({COUNTED})", "{{outcome}}"),),
        width=12,
    ),
    Panel(
        "Share rate limited",
        "Share of the counted requests that the gateway answered 429.",
        "percentunit",
        (Query(ratio(LIMITED, COUNTED, "release"), "limited"),),
        warn=0.01,
        bad=0.1,
        width=12,
    ),
)

BOARD: Final = Board(
    "serinus-gateway",
    "Gateway",
    "Traffic, status codes and rate limiting at the gateway.",
    (("Traffic", TRAFFIC), ("Rate limit", LIMITS)),
)
