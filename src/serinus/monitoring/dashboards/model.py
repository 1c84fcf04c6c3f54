"""Dashboard *Model*: what the models predict, and how.

Enters: nothing. Leaves: `BOARD`. Called by `serinus.monitoring.dashboards`.
"""

from __future__ import annotations

from typing import Final

from serinus.monitoring.dashboards.panels import TRACK, WINDOW, Board, Panel, Query, quantile, ratio

BY: Final = "track, model_version"
LEGEND: Final = "{{track}} {{model_version}}"


def positive(window: str) -> str:
    """Share of texts predicted positive over a window."""
    return ratio(
        f'increase(serinus_predictions_total{{{TRACK}, label="positive"}}[{window}])',
        f"increase(serinus_predictions_total{{{TRACK}}}[{window}])",
        BY,
    )


PREDICTIONS: Final = (
    Panel(
        "Predictions",
        "Texts predicted per second, by label and model version.",
        "short",
        (
            Query(
                f"sum by (label, {BY}) (rate(serinus_predictions_total{{{TRACK}}}[{WINDOW}]))",
                LEGEND + " {{label}}",
            ),
        ),
    ),
    Panel(
        "Predicted positive",
        "Share of texts predicted positive in the last ten minutes.",
        "percentunit",
        (Query(positive("10m"), LEGEND),),
    ),
    Panel(
        "Drift of the positive share",
        "Share predicted positive in the last hour, less that of the last day: points.",
        "percentunit",
        (Query(f"({positive('1h')}) - ({positive('1d')})", LEGEND),),
        warn=0.1,
        bad=0.2,
        least=None,
    ),
    Panel(
        "Confidence",
        "Median and 10th percentile of the probability given to the predicted label.",
        "percentunit",
        (
            Query(quantile(0.5, "serinus_prediction_confidence", TRACK, BY), LEGEND + " median"),
            Query(quantile(0.1, "serinus_prediction_confidence", TRACK, BY), LEGEND + " 10th"),
        ),
        warn=0.7,
        bad=0.6,
        low_is_bad=True,
        least=0.5,
    ),
    Panel(
        "Time to predict",
        "Median and 99th percentile of the time to predict one request's texts.",
        "s",
        (
            Query(
                quantile(0.5, "serinus_prediction_duration_seconds", TRACK, "track"),
                "{{track}} median",
            ),
            Query(
                quantile(0.99, "serinus_prediction_duration_seconds", TRACK, "track"),
                "{{track}} 99th",
            ),
        ),
        warn=0.01,
        bad=0.1,
    ),
    Panel(
        "Failed predictions",
        "Share of reviews whose prediction failed.",
        "percentunit",
        (
            Query(
                ratio(
                    f'rate(serinus_reviews_total{{{TRACK}, status="failed"}}[{WINDOW}])',
                    f"rate(serinus_reviews_total{{{TRACK}}}[{WINDOW}])",
                    "track",
                ),
                "{{track}}",
            ),
        ),
        warn=0.005,
        bad=0.05,
    ),
)

LOADING: Final = (
    Panel(
        "Models loaded",
        "1 while a pod has its model, by version.",
        "short",
        (Query(f"sum by (model, {BY}) (serinus_model_loaded{{{TRACK}}})", "{{model}} " + LEGEND),),
        "stat",
        warn=1,
        bad=1,
        low_is_bad=True,
    ),
    Panel(
        "Time to load",
        "From start of loading to ready, fetch included, of the slowest pod.",
        "s",
        (Query(f"max by (track) (serinus_model_load_seconds{{{TRACK}}})", "{{track}}"),),
        "stat",
        warn=5,
        bad=30,
    ),
    Panel(
        "Model cache",
        "Look-ups in the model cache by result; corrupt ones were refused and fetched again.",
        "short",
        (
            Query(
                f"sum by (track, result) (serinus_model_cache_requests_total{{{TRACK}}})",
                "{{track}} {{result}}",
            ),
        ),
        "stat",
    ),
)

BOARD: Final = Board(
    "serinus-model",
    "Model",
    "Predictions, confidence, drift and the model cache.",
    (("Predictions", PREDICTIONS), ("Loading", LOADING)),
)
