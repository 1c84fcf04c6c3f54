"""What model-service counts, beside what the chassis counts of every request.

Enters: predictions and look-ups in the model cache. Leaves: the series declared in
`contracts.metrics`. Built by `app`, used by `artifact` and `predictor`.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from serinus.contracts import metrics
from serinus.contracts.artifact import Manifest
from serinus.services.chassis.telemetry import Telemetry


class ModelMetrics:
    """The counters and gauges of one process; known labels start at 0, so that rates see them."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._predictions = telemetry.counter(metrics.PREDICTIONS)
        self._confidence = telemetry.histogram(metrics.CONFIDENCE)
        self._duration = telemetry.histogram(metrics.PREDICTION_DURATION)
        self._loaded = telemetry.gauge(metrics.MODEL_LOADED)
        self._load_seconds = telemetry.gauge(metrics.MODEL_LOAD_SECONDS)
        self._cache = telemetry.counter(metrics.MODEL_CACHE)
        self._by_label: dict[str, tuple[Counter, Histogram]] = {}
        for result in ("hit", "miss", "corrupt"):
            self._cache.labels(result)

    def looked_up(self, result: str) -> None:
        """A look-up in the model cache: `hit`, `miss` or `corrupt`."""
        self._cache.labels(result).inc()

    def loaded(self, manifest: Manifest, seconds: float) -> None:
        """The model is ready, `seconds` after loading began."""
        self._loaded.labels(manifest.name, manifest.version).set(1)
        self._load_seconds.set(seconds)
        for label in manifest.labels:
            self._by_label[label] = (
                self._predictions.labels(label, manifest.version),
                self._confidence.labels(label, manifest.version),
            )

    def predicted(self, results: Sequence[tuple[str, float]], seconds: float) -> None:
        """The texts of one request, predicted in `seconds`."""
        self._duration.observe(seconds)
        for label, confidence in results:
            count, histogram = self._by_label[label]
            count.inc()
            histogram.observe(confidence)
