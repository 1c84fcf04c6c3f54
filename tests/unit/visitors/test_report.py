"""The sums of a crowd: shares, strays, mixed tracks, percentiles."""

from __future__ import annotations

import pytest

from serinus.visitors.journey import Journey, Meeting
from serinus.visitors.report import summarise

FRONT = ("app-frontend", "stable")
STABLE = (FRONT, ("app-service", "stable"))
CANARY = (("app-frontend", "canary"), ("app-service", "canary"))
MIXED = (FRONT, ("app-service", "canary"))


def journey(track: str | None, *hops: tuple[tuple[str, str], ...]) -> Journey:
    return Journey(
        track=track,
        meetings=[Meeting("page", 200, 0.001 * n, hop) for n, hop in enumerate(hops, start=1)],
        reviews=2,
        overridden=1,
    )


def test_shares_and_acts_per_track() -> None:
    report = summarise([journey("stable", STABLE)] * 9 + [journey("canary", CANARY)])
    stable, canary = report.shares()
    assert (stable.track, stable.visitors, stable.reviews, stable.overridden) == (
        "stable",
        9,
        18,
        9,
    )
    assert canary.share == pytest.approx(0.1)
    assert canary.low < 0.1 < canary.high
    assert (report.sticky, report.mixed, report.undrawn) == (10, 0, 0)


def test_a_visitor_who_meets_two_tracks_has_strayed() -> None:
    report = summarise([journey("stable", STABLE, CANARY)])
    assert (report.strayed, report.mixed) == (1, 0)


def test_a_request_over_two_tracks_is_mixed() -> None:
    report = summarise([journey("stable", MIXED)])
    assert (report.strayed, report.mixed) == (1, 1)


def test_a_visitor_without_a_track_counts_in_no_share() -> None:
    report = summarise([journey(None), journey("stable", STABLE)])
    assert (report.undrawn, report.drawn, report.sticky) == (1, 1, 1)
    assert report.shares()[0].share == 1.0


def test_percentiles_are_nearest_rank() -> None:
    many = Journey(
        "stable", meetings=[Meeting("page", 200, n / 1000, STABLE) for n in range(1, 101)]
    )
    (line,) = summarise([many]).latencies()
    assert (line.p50, line.p95, line.p99) == (50.0, 95.0, 99.0)
