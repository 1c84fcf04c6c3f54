"""Builds Grafana's JSON from boards.

Enters: a `Board`. Leaves: the text of its committed file, the same bytes for the same board. Called
by `python -m serinus.monitoring.dashboards` and by a test.
"""

from __future__ import annotations

import itertools
import json
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from serinus.monitoring.dashboards.panels import Board, Panel

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS: Final = {"stat": 5, "series": 8}
TARGETS: Final = 'up{job="serinus-mesh"}'


def build(board: Board) -> str:
    """The dashboard as JSON, with a line break at its end."""
    made = (
        dashboard.Dashboard(f"Serinus: {board.title}")
        .uid(board.uid)
        .description(board.description)
        .tags(["serinus"])
        .time("now-30m", "now")
        .refresh("10s")
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Source").type("prometheus")
        )
        .with_variable(_variable("namespace", f"label_values({TARGETS}, namespace)"))
        .with_variable(
            _variable("release", f'label_values({TARGETS[:-1]}, namespace="$namespace"}}, release)')
        )
        .with_variable(
            _variable("track", 'label_values(up{namespace="$namespace"}, track)')
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(VariableOption(selected=True, text="All", value="$__all"))
        )
    )
    numbers = itertools.count(1)
    for title, panels in board.rows:
        made = made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made = made.with_panel(_panel(panel).id(next(numbers)))
    return json.dumps(made.build(), sort_keys=True, indent=2, cls=JSONEncoder) + "\n"


def _variable(name: str, query: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _panel(panel: Panel) -> Any:
    made: Any
    if panel.kind == "stat":
        made = (
            stat.Panel()
            .graph_mode(BigValueGraphMode.NONE)
            .orientation(VizOrientation.AUTO)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        )
    else:
        legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
        made = (
            timeseries.Panel()
            .fill_opacity(5)
            .line_width(1.5)
            .legend(legend.placement(LegendPlacement.BOTTOM).show_legend(True).calcs([]))
        )
    made = (
        made.title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .thresholds(_thresholds(panel))
        .span(panel.width)
        .height(HEIGHTS[panel.kind])
    )
    if panel.least is not None:
        made = made.min(panel.least)
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        target = target.ref_id(chr(ord("A") + number)).datasource(SOURCE)
        made = made.with_target(target.instant() if panel.kind == "stat" else target.range())
    return made


def _thresholds(panel: Panel) -> Any:
    colours = ("red", "orange", "green") if panel.low_is_bad else ("green", "orange", "red")
    limits = (panel.bad, panel.warn) if panel.low_is_bad else (panel.warn, panel.bad)
    steps = [Threshold(value=None, color=colours[0] if limits != (None, None) else "green")]
    for limit, colour in zip(limits, colours[1:], strict=True):
        if limit is not None and (len(steps) == 1 or steps[-1].value != limit):
            steps.append(Threshold(value=limit, color=colour))
        elif limit is not None:
            steps[-1] = Threshold(value=limit, color=colour)
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
