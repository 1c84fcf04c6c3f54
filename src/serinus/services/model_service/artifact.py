"""Loads the model at start, waiting for a registry that is not there yet.

Enters: settings. Leaves: an engine. Called by `app.build`, never per request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

from serinus.clients import registry
from serinus.errors import ArtifactError, RegistryError
from serinus.model import engine
from serinus.model.engine import Engine
from serinus.services.model_service.metrics import ModelMetrics
from serinus.services.model_service.settings import Settings

FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 15.0
_LOG = logging.getLogger("serinus.model_service")


class Loading:
    """One model on its way. `missing` is what readiness reports until it is there."""

    def __init__(self, settings: Settings, metrics: ModelMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self.missing: str | None = f"{settings.model_name} {settings.model_version} is being loaded"

    def check(self) -> str | None:
        """The readiness check."""
        return self.missing

    async def load(self) -> Engine:
        """The engine of the settings' model.

        Tries again, with growing pauses, while the registry is out of reach, lacks the version or
        delivers it damaged: each of these can be mended without this process. Raises ModelError
        and MissingDependencyError, which can't.
        """
        started = time.perf_counter()
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                loaded = await asyncio.to_thread(self._fetch_and_load)
            except (RegistryError, ArtifactError) as error:
                self.missing = str(error)
                _LOG.warning(
                    "waiting for the model",
                    extra={"reason": str(error), "next_try_seconds": wait},
                )
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                break
        seconds = time.perf_counter() - started
        manifest = loaded.manifest
        self._metrics.loaded(manifest, seconds)
        self.missing = None
        _LOG.info(
            "model loaded",
            extra={
                "model": manifest.name,
                "model_version": manifest.version,
                "digest": manifest.digest,
                "engine": manifest.engine,
                "seconds": round(seconds, 3),
            },
        )
        return loaded

    def _fetch_and_load(self) -> Engine:
        settings = self._settings
        fetched = registry.fetch(
            settings.model_registry,
            settings.model_name,
            settings.model_version,
            Path(settings.model_cache),
        )
        self._metrics.looked_up(fetched.result)
        return engine.load(fetched.folder)
