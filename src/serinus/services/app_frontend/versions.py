"""Which versions answer behind this process, for the footer of every page.

Enters: `Reviews.version`. Leaves: the last known answer, at once. A process's upstream is always
of its own track, so one answer serves all visitors. Used by `pages`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from serinus.contracts.api import VersionInfo
from serinus.services.app_frontend.api import Reviews

FRESH_SECONDS: Final = 3.0


class Versions:
    """Only the very first page waits for an answer; later ones start a refresh and go on."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews
        self._known: VersionInfo | None = None
        self._asked_at: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def upstream(self) -> VersionInfo | None:
        """app-service's version and model-service's below; `None` while unreachable."""
        if self._asked_at is None:
            await self._refresh()
        elif time.monotonic() - self._asked_at > FRESH_SECONDS and self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._known

    async def _refresh(self) -> None:
        try:
            self._known = await self._reviews.version()
            self._asked_at = time.monotonic()
        finally:
            self._refreshing = None

    async def close(self) -> None:
        """Give up a refresh that is under way."""
        task = self._refreshing
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
