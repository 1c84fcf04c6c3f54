"""Predicts the texts of one request: limits, threads for long work, and metrics.

Enters: texts. Leaves: a label and a probability for each. Built by `app`, called by the routes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from serinus.contracts.api import MAX_REVIEW_CHARACTERS, ModelInfo
from serinus.contracts.artifact import Manifest
from serinus.model.engine import Engine
from serinus.services.model_service.metrics import ModelMetrics
from serinus.services.model_service.settings import Settings

MAX_TEXTS: Final = 1_000
MAX_BODY_BYTES: Final = 1_000_000
IN_LOOP_CHARACTERS: Final = 5_000
"""Up to here the built-in engine takes less than a millisecond or so; beyond, a thread does it."""


class InputError(ValueError):
    """Texts that are not predicted; `index` is the first wrong one, `None` for all together."""

    def __init__(self, detail: str, index: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.index = index


class Predictor:
    """One loaded model and what is known of it."""

    def __init__(self, settings: Settings, engine: Engine, metrics: ModelMetrics) -> None:
        self.settings = settings
        self.manifest: Manifest = engine.manifest
        self.model = ModelInfo(
            engine.manifest.name, engine.manifest.version, engine.manifest.digest
        )
        self._engine = engine
        self._metrics = metrics

    async def predict(self, texts: list[str]) -> list[tuple[str, float]]:
        """Per text its label and probability, in order; InputError for texts outside the limits."""
        characters = check(texts)
        started = time.perf_counter()
        if self._engine.blocking or characters > IN_LOOP_CHARACTERS:
            results = await asyncio.to_thread(self._engine.predict, texts)
        else:
            results = self._engine.predict(texts)
        self._metrics.predicted(results, time.perf_counter() - started)
        return results


def check(texts: list[str]) -> int:
    """The characters of all texts together; InputError for texts outside the limits."""
    if not texts:
        raise InputError("Expected at least one text.")
    if len(texts) > MAX_TEXTS:
        raise InputError(f"Expected at most {MAX_TEXTS} texts.")
    total = 0
    for index, text in enumerate(texts):
        size = len(text)
        if size > MAX_REVIEW_CHARACTERS:
            raise InputError(f"Expected at most {MAX_REVIEW_CHARACTERS} characters.", index)
        if not text or text.isspace():
            raise InputError("Expected at least one character that is not blank.", index)
        total += size
    return total
