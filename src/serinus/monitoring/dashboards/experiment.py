"""Dashboard *Experiment*: the canary against stable.

Enters: nothing. Leaves: `BOARD`. Called by `serinus.monitoring.dashboards`.
"""

from __future__ import annotations

from typing import Final

from serinus.monitoring.dashboards.panels import (
    ERRORS,
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

REVIEWS: Final = (
    f'sum by (track) (increase(serinus_reviews_total{{{TRACK}, status="ok"}}[$__range]))'
)
OVERRIDES: Final = (
    "sum by (track) (label_replace(increase(serinus_overrides_total"
    f'{{{RELEASE}, review_track=~"$track"}}[$__range]), "track", "$1", "review_track", "(.+)"))'
)
RATE: Final = f"({OVERRIDES} / {REVIEWS})"
Z: Final = 1.96
"""Standard deviations of a 95 % interval."""
CENTRE: Final = f"({RATE} + {Z**2 / 2:.4f} / {REVIEWS}) / (1 + {Z**2:.4f} / {REVIEWS})"
HALF: Final = (
    f"{Z} * sqrt({RATE} * (1 - {RATE}) / {REVIEWS} + {Z**2 / 4:.4f} / {REVIEWS} ^ 2)"
    f" / (1 + {Z**2:.4f} / {REVIEWS})"
)
DRAWS: Final = f"increase(serinus_assignments_total{{{RELEASE}}}[$__range])"

SPLIT: Final = (
    Panel(
        "Share configured",
        "Percent of new visitors that the chart draws for each track.",
        "percent",
        (Query(f"serinus:configured_weight:percent{{{RELEASE}}}", "{{track}}"),),
        "stat",
        width=6,
    ),
    Panel(
        "Share realised",
        "Share of the draws that each track got over the time shown.",
        "percentunit",
        (
            Query(
                f"sum by (track) ({DRAWS}) / ignoring (track) group_left () sum({DRAWS})",
                "{{track}}",
            ),
        ),
        "stat",
        width=6,
    ),
    Panel(
        "Epoch",
        "The current draw; it rises with a new canary, a promotion and an abort.",
        "short",
        (Query(f"serinus:configured_epoch{{{RELEASE}}}", "epoch"),),
        "stat",
        width=4,
    ),
    Panel(
        "Exposures",
        "Visitors who met a track for the first time, over the time shown.",
        "short",
        (
            Query(
                "sum by (arm, trigger) "
                f'(increase(serinus_exposures_total{{{RELEASE}, arm=~"$track"}}[$__range]))',
                "{{arm}} {{trigger}}",
            ),
        ),
        "stat",
    ),
)

OUTCOME: Final = (
    Panel(
        "Override rate",
        "Reviews whose prediction a visitor overrode, as a share of those predicted, over the time "
        "shown, with Wilson's 95 % interval. For looking: the verdict is `serinus experiment`'s.",
        "percentunit",
        (
            Query(RATE, "{{track}}"),
            Query(f"{CENTRE} - {HALF}", "{{track}} low"),
            Query(f"{CENTRE} + {HALF}", "{{track}} high"),
        ),
        "stat",
        warn=0.2,
        bad=0.4,
        width=12,
    ),
    Panel(
        "Reviews",
        "Reviews predicted over the time shown.",
        "short",
        (Query(REVIEWS, "{{track}}"),),
        "stat",
        width=6,
    ),
    Panel(
        "Feedback",
        "Feedback over the time shown, by action and the review's track.",
        "short",
        (
            Query(
                "sum by (action, review_track) (increase(serinus_feedback_total"
                f'{{{RELEASE}, review_track=~"$track"}}[$__range]))',
                "{{review_track}} {{action}}",
            ),
        ),
        "stat",
        width=6,
    ),
    Panel(
        "Mean confidence",
        "Mean probability that the model gives to its prediction.",
        "percentunit",
        (
            Query(
                "sum by (track) (rate(serinus_prediction_confidence_sum"
                f"{{{TRACK}}}[{WINDOW}])) / sum by (track) "
                f"(rate(serinus_prediction_confidence_count{{{TRACK}}}[{WINDOW}]))",
                "{{track}}",
            ),
        ),
        warn=0.7,
        bad=0.6,
        low_is_bad=True,
    ),
    Panel(
        "Awaiting feedback",
        "Predicted reviews without feedback, from the event store.",
        "short",
        (
            Query(
                "max by (review_track) (serinus_reviews_awaiting_feedback"
                f'{{{RELEASE}, review_track=~"$track"}})',
                "{{review_track}}",
            ),
        ),
    ),
    Panel(
        "Mixed tracks",
        "Requests between tracks over the time shown; any one voids the experiment.",
        "short",
        (
            Query(
                f"sum(increase(serinus_mixed_track_requests_total{{{RELEASE}}}[$__range]))", "mixed"
            ),
        ),
        "stat",
        warn=1,
        bad=1,
    ),
)

GUARDRAILS: Final = (
    Panel(
        "Page latency, 95th percentile",
        "Time that app-frontend takes for assigned visitors, canary against stable.",
        "s",
        (
            Query(
                quantile(
                    0.95,
                    "serinus_http_request_duration_seconds",
                    f'app="app-frontend", assignment="assigned", {TRACK}',
                    "track",
                ),
                "{{track}}",
            ),
        ),
        warn=0.5,
        bad=1,
        width=12,
    ),
    Panel(
        "Failed pages",
        "Share of requests to app-frontend that failed (5xx), canary against stable.",
        "percentunit",
        (
            Query(
                ratio(
                    ERRORS.replace("{", '{app="app-frontend", ', 1),
                    REQUESTS.replace("{", '{app="app-frontend", ', 1),
                    "track",
                ),
                "{{track}}",
            ),
        ),
        warn=0.005,
        bad=0.05,
        width=12,
    ),
)

BOARD: Final = Board(
    "serinus-experiment",
    "Experiment",
    "The canary against stable: split, outcome, guardrails.",
    (("Split", SPLIT), ("Outcome", OUTCOME), ("Guardrails", GUARDRAILS)),
)
