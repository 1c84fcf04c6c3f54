"""What a panel is, apart from Grafana's JSON, and the pieces that queries share.

Enters: nothing. Leaves: records and texts. Called by the modules of boards and by `build`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

RELEASE: Final = 'namespace="$namespace", release="$release"'
TRACK: Final = f'{RELEASE}, track=~"$track"'
MESH: Final = f'job="serinus-mesh", reporter="source", {TRACK}'
WINDOW: Final = "$__rate_interval"
REQUESTS: Final = f"rate(istio_requests_total{{{MESH}}}[{WINDOW}])"
ERRORS: Final = f'rate(istio_requests_total{{{MESH}, response_code=~"5.."}}[{WINDOW}])'


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `legend` names its series by their labels, as Grafana's `{{label}}`."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is Grafana's; above `warn` it is orange, above `bad` red.

    With `low_is_bad` it is the other way round: below `warn` orange, below `bad` red. `width` is in
    24ths of the page.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["series", "stat"] = "series"
    warn: float | None = None
    bad: float | None = None
    low_is_bad: bool = False
    width: int = 8
    least: float | None = 0


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: rows of panels under their headings."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in order."""
        return tuple(panel for _, panels in self.rows for panel in panels)


def ratio(part: str, whole: str, by: str) -> str:
    """A quotient of sums that is 0, not absent, where the part has no series yet."""
    return f"(sum by ({by}) ({part}) or 0 * sum by ({by}) ({whole})) / sum by ({by}) ({whole})"


def quantile(q: float, metric: str, labels: str, by: str) -> str:
    """A quantile of a histogram over the panel's interval."""
    return (
        f"histogram_quantile({q}, sum by (le, {by}) (rate({metric}_bucket{{{labels}}}[{WINDOW}])))"
    )
