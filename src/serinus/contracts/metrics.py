"""Every metric that Serinus itself exports, declared once.

Enters: nothing. Leaves: `Metric` declarations. The services register them through
`services/chassis/telemetry`, alerts and dashboards are checked against `ALL`, experiments query
them by name. Each series also carries `app` and `track`, added by the chassis as constant labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]

LATENCY_BUCKETS: Final[tuple[float, ...]] = (
    0.001,
    0.0015,
    0.00225,
    0.0033,
    0.005,
    0.0075,
    0.011,
    0.016,
    0.024,
    0.036,
    0.054,
    0.08,
    0.12,
    0.18,
    0.27,
    0.4,
    0.6,
    0.9,
    1.3,
    1.9,
    2.5,
)
"""Seconds, 1 ms to 2.5 s, neighbours at most a factor 1.5 apart."""

PREDICTION_BUCKETS: Final[tuple[float, ...]] = (0.00001, 0.00003, 0.0001, 0.0003, *LATENCY_BUCKETS)
CONFIDENCE_BUCKETS: Final[tuple[float, ...]] = (
    0.55,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
    0.99,
    1.0,
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. `name` is the exposed name: a counter's ends in `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


BUILD_INFO: Final = Metric(
    "serinus_build_info", "gauge", "Always 1; the running version in its labels.", ("version",)
)
HTTP_REQUESTS: Final = Metric(
    "serinus_http_requests_total",
    "counter",
    "Requests answered, by route template, method, status code and assignment.",
    ("route", "method", "code", "assignment"),
)
HTTP_DURATION: Final = Metric(
    "serinus_http_request_duration_seconds",
    "histogram",
    "Time from a request's first byte to the end of its response.",
    ("route", "assignment"),
    LATENCY_BUCKETS,
)
HTTP_IN_FLIGHT: Final = Metric(
    "serinus_http_requests_in_flight", "gauge", "Requests being answered."
)
MIXED_TRACK: Final = Metric(
    "serinus_mixed_track_requests_total",
    "counter",
    "Requests whose caller's track differs from this hop's track; stays 0.",
    ("caller",),
)
ASSIGNMENTS: Final = Metric(
    "serinus_assignments_total",
    "counter",
    "Draws made at the gateway, seen by app-frontend.",
    ("epoch", "weight"),
)
EXPOSURES: Final = Metric(
    "serinus_exposures_total",
    "counter",
    "Exposures recorded for the first time.",
    ("trigger", "arm"),
)
REVIEWS: Final = Metric(
    "serinus_reviews_total",
    "counter",
    "Reviews submitted, by how the prediction ended.",
    ("status", "assignment"),
)
FEEDBACK: Final = Metric(
    "serinus_feedback_total",
    "counter",
    "Feedback given, by action, corrected sentiment and the track of its review.",
    ("action", "sentiment", "review_track"),
)
OVERRIDES: Final = Metric(
    "serinus_overrides_total",
    "counter",
    "Reviews whose prediction was overridden for the first time, by the track of the review.",
    ("review_track",),
)
AWAITING_FEEDBACK: Final = Metric(
    "serinus_reviews_awaiting_feedback",
    "gauge",
    "Predicted reviews without feedback, from the event store: aggregate with max.",
    ("review_track",),
)
STORE_BYTES: Final = Metric(
    "serinus_event_store_bytes", "gauge", "Size of the event store: aggregate with max."
)
STORE_CAPACITY_BYTES: Final = Metric(
    "serinus_event_store_capacity_bytes",
    "gauge",
    "Size at which the event store's volume is full: aggregate with max.",
)
PREDICTIONS: Final = Metric(
    "serinus_predictions_total",
    "counter",
    "Texts predicted, by label and model version.",
    ("label", "model_version"),
)
PREDICTION_DURATION: Final = Metric(
    "serinus_prediction_duration_seconds",
    "histogram",
    "Time to predict one request's texts.",
    (),
    PREDICTION_BUCKETS,
)
CONFIDENCE: Final = Metric(
    "serinus_prediction_confidence",
    "histogram",
    "Probability given to the predicted label.",
    ("label", "model_version"),
    CONFIDENCE_BUCKETS,
)
MODEL_LOADED: Final = Metric(
    "serinus_model_loaded", "gauge", "1 while a model is loaded.", ("model", "model_version")
)
MODEL_LOAD_SECONDS: Final = Metric(
    "serinus_model_load_seconds", "gauge", "Time from start of loading to ready, fetch included."
)
MODEL_CACHE: Final = Metric(
    "serinus_model_cache_requests_total",
    "counter",
    "Look-ups in the model cache: hit, miss, or corrupt (refused and fetched again).",
    ("result",),
)

ALL: Final[tuple[Metric, ...]] = tuple(m for m in list(globals().values()) if isinstance(m, Metric))
