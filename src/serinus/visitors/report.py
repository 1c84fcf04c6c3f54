"""What a crowd met, in numbers.

Enters: journeys. Leaves: a `Report` (pure). Called by `serinus simulate`, which prints it, and by
whole-system tests, which assert on it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from serinus.stats.proportion import wilson
from serinus.visitors.journey import Journey


@dataclass(frozen=True, slots=True)
class TrackShare:
    """One track's visitors and what they did; `low` to `high` is the share's 95 % interval."""

    track: str
    visitors: int
    share: float
    low: float
    high: float
    reviews: int
    confirmed: int
    overridden: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of one kind of request, in milliseconds."""

    kind: str
    requests: int
    p50: float
    p95: float
    p99: float


@dataclass(slots=True)
class Report:
    """Add journeys with `add`; the properties sum up what came so far."""

    visitors: int = 0
    undrawn: int = 0
    """Visitors without a track: nothing answered, or a limit did."""
    sticky: int = 0
    """Visitors whose every answer came from one track, which they were drawn for."""
    strayed: int = 0
    mixed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    _tracks: Counter[str] = field(default_factory=Counter)
    _acts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, journey: Journey) -> None:
        """Take one journey in."""
        self.visitors += 1
        if journey.track is None:
            self.undrawn += 1
        else:
            self._tracks[journey.track] += 1
            self._acts[journey.track].update(
                reviews=journey.reviews,
                confirmed=journey.confirmed,
                overridden=journey.overridden,
            )
        if journey.trouble:
            self.troubles[journey.trouble] += 1
        seen = set()
        for meeting in journey.meetings:
            self.statuses[meeting.status] += 1
            self._seconds[meeting.kind].append(meeting.seconds)
            tracks = {track for _, track in meeting.hops}
            seen |= tracks
            self.mixed += len(tracks) > 1
        self.strayed += len(seen) > 1
        self.sticky += journey.track is not None and len(seen) <= 1

    @property
    def drawn(self) -> int:
        """Visitors with a track."""
        return self.visitors - self.undrawn

    def shares(self) -> list[TrackShare]:
        """One row per track, largest first."""
        drawn = sum(self._tracks.values())
        rows = []
        for track, count in self._tracks.most_common():
            low, high = wilson(count, drawn)
            acts = self._acts[track]
            rows.append(
                TrackShare(
                    track,
                    count,
                    count / drawn,
                    low,
                    high,
                    acts["reviews"],
                    acts["confirmed"],
                    acts["overridden"],
                )
            )
        return rows

    def latencies(self) -> list[Latency]:
        """One row per kind of request, most frequent first."""
        rows = []
        for kind, seconds in sorted(self._seconds.items(), key=lambda item: -len(item[1])):
            ordered = sorted(seconds)
            p50, p95, p99 = (_percentile(ordered, q) * 1000 for q in (0.5, 0.95, 0.99))
            rows.append(Latency(kind, len(ordered), p50, p95, p99))
        return rows


def summarise(journeys: Iterable[Journey]) -> Report:
    """All journeys in one report."""
    report = Report()
    for journey in journeys:
        report.add(journey)
    return report


def _percentile(ordered: list[float], quantile: float) -> float:
    """The nearest-rank percentile of a sorted, non-empty list."""
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
