"""The realised split: draws that visitors really met, counted by app-frontend.

Enters: the running pods of app-frontend. Leaves: draws of the current epoch per track. Called by
`serinus rollout show`; works without Prometheus, and so counts since the pods' last start.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Final

from serinus.contracts.metrics import ASSIGNMENTS
from serinus.contracts.routing import APP_FRONTEND
from serinus.errors import LocalRunError
from serinus.local.fleet import Row

_LINE: Final = re.compile(
    rf"^{ASSIGNMENTS.name}\{{(?P<labels>[^}}]*)\}} (?P<value>\S+)$", re.MULTILINE
)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


def counted(rows: Iterable[Row], epoch: int) -> dict[str, int]:
    """Draws of that epoch per track; raises `LocalRunError` when a pod doesn't answer."""
    ready = (row for row in rows if row.app == APP_FRONTEND and row.state == "ready")
    return total((_metrics(row.address) for row in ready), epoch)


def total(pages: Iterable[str], epoch: int) -> dict[str, int]:
    """Draws of that epoch per track, over the metrics pages of all pods."""
    found: dict[str, int] = {}
    for page in pages:
        for line in _LINE.finditer(page):
            labels = dict(_LABEL.findall(line["labels"]))
            if labels.get("epoch") == str(epoch) and (track := labels.get("track")):
                found[track] = found.get(track, 0) + int(float(line["value"]))
    return found


def _metrics(address: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}:9090/metrics", timeout=2) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError) as error:
        raise LocalRunError(f"app-frontend tells no metrics: {error}", where=address) from error
