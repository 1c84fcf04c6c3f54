"""Dashboard *Overview*: golden signals per service and track.

Enters: nothing. Leaves: `BOARD`. Called by `serinus.monitoring.dashboards`.
"""

from __future__ import annotations

from typing import Final

from serinus.monitoring.dashboards.panels import (
    ERRORS,
    MESH,
    RELEASE,
    REQUESTS,
    TRACK,
    WINDOW,
    Board,
    Panel,
    Query,
    quantile,
    ratio,
)

BY: Final = "app, track"
LEGEND: Final = "{{app}} {{track}}"
LATENCY: Final = "serinus_http_request_duration_seconds"
MONTH: Final = ratio(
    f'increase(istio_requests_total{{{MESH}, response_code=~"5.."}}[30d])',
    f"increase(istio_requests_total{{{MESH}}}[30d])",
    BY,
)

STATE: Final = (
    Panel(
        "Pods up",
        "Pods that answer Prometheus, per service and track.",
        "short",
        (
            Query(
                f'sum by ({BY}) (up{{job=~"app-frontend|app-service|model-service", {TRACK}}})',
                LEGEND,
            ),
        ),
        "stat",
        warn=1,
        bad=1,
        low_is_bad=True,
        width=12,
    ),
    Panel(
        "Alerts firing",
        "Alerts of this namespace that fire now; each is mailed and has a page in docs/runbooks.",
        "short",
        (
            Query(
                'count(ALERTS{alertstate="firing", namespace="$namespace"}) or vector(0)', "firing"
            ),
        ),
        "stat",
        warn=1,
        bad=1,
        width=4,
    ),
    Panel(
        "Error budget left",
        "Share of the 30 days' budget (0.5 % of requests may fail) that is not spent.",
        "percentunit",
        (Query(f"1 - ({MONTH}) / 0.005", LEGEND),),
        "stat",
        warn=0.5,
        bad=0.1,
        low_is_bad=True,
        least=None,
    ),
)

SIGNALS: Final = (
    Panel(
        "Requests",
        "Requests per second that callers sent to each service, by track.",
        "reqps",
        (Query(f"sum by ({BY}) ({REQUESTS})", LEGEND),),
    ),
    Panel(
        "Failed requests",
        "Share of requests that callers saw fail (5xx), by service and track.",
        "percentunit",
        (Query(ratio(ERRORS, REQUESTS, BY), LEGEND),),
        warn=0.005,
        bad=0.05,
    ),
    Panel(
        "Latency, 95th percentile",
        "Time that a service takes to answer, what it waits for included.",
        "s",
        (Query(quantile(0.95, LATENCY, TRACK, BY), LEGEND),),
        warn=0.5,
        bad=1,
    ),
    Panel(
        "Latency, median",
        "Half of the requests are answered faster.",
        "s",
        (Query(quantile(0.5, LATENCY, TRACK, BY), LEGEND),),
        warn=0.2,
        bad=0.5,
    ),
    Panel(
        "Reviews",
        "Reviews submitted per minute, by how the prediction ended.",
        "short",
        (
            Query(
                f"60 * sum by (status, track) (rate(serinus_reviews_total{{{TRACK}}}[{WINDOW}]))",
                "{{track}} {{status}}",
            ),
        ),
    ),
    Panel(
        "Mixed tracks",
        "Requests whose caller runs on another track; must stay 0.",
        "short",
        (
            Query(
                "sum by (app, track, caller) "
                f"(increase(serinus_mixed_track_requests_total{{{TRACK}}}[$__range]))",
                "{{app}} {{track}} from {{caller}}",
            ),
        ),
        warn=1,
        bad=1,
    ),
)

SATURATION: Final = (
    Panel(
        "Requests in flight",
        "Requests being answered at the moment.",
        "short",
        (Query(f"sum by ({BY}) (serinus_http_requests_in_flight{{{TRACK}}})", LEGEND),),
        warn=64,
        bad=256,
    ),
    Panel(
        "CPU",
        "Cores used, per service and track.",
        "short",
        (Query(f"sum by ({BY}) (rate(process_cpu_seconds_total{{{TRACK}}}[{WINDOW}]))", LEGEND),),
        warn=0.8,
        bad=1,
    ),
    Panel(
        "Memory",
        "Resident memory of the largest pod, per service and track.",
        "bytes",
        (Query(f"max by ({BY}) (process_resident_memory_bytes{{{TRACK}}})", LEGEND),),
        warn=192e6,
        bad=256e6,
    ),
    Panel(
        "Restarts",
        "Starts of a process in the last hour, after its first.",
        "short",
        (Query(f"sum by ({BY}) (changes(process_start_time_seconds{{{TRACK}}}[1h]))", LEGEND),),
        warn=1,
        bad=5,
    ),
    Panel(
        "Event store",
        "Size of the event store, and the size at which its volume is full. SQLite knows that; "
        "PostgreSQL's volume is seen by its own monitoring.",
        "bytes",
        (
            Query(f"max(serinus_event_store_bytes{{{RELEASE}}})", "size"),
            Query(f"max(serinus_event_store_capacity_bytes{{{RELEASE}}})", "full at"),
        ),
    ),
    Panel(
        "Open files",
        "File descriptors in use, as a share of those allowed, of the worst pod.",
        "percentunit",
        (
            Query(
                f"max by ({BY}) (process_open_fds{{{TRACK}}} / process_max_fds{{{TRACK}}})", LEGEND
            ),
        ),
        warn=0.5,
        bad=0.8,
    ),
)

BOARD: Final = Board(
    "serinus-overview",
    "Overview",
    "Golden signals per service and track.",
    (("State", STATE), ("Signals", SIGNALS), ("Saturation", SATURATION)),
)
