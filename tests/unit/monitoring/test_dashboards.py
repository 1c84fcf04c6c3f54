"""The committed dashboards are what the source says, and each panel explains itself."""

from __future__ import annotations

import json

import pytest
from tests.support.monitoring import CHART, rendered

from serinus.monitoring.dashboards import BOARDS
from serinus.monitoring.dashboards.build import build
from serinus.monitoring.dashboards.panels import Board, Panel

PANELS = [
    pytest.param(panel, id=f"{board.title}-{panel.title}")
    for board in BOARDS
    for panel in board.panels
]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.title)
def test_the_committed_file_fits_its_source(board: Board) -> None:
    path = CHART / "files" / "dashboards" / f"{board.title.lower()}.json"
    assert path.read_text() == build(board)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.title)
def test_a_board_has_the_variables_and_unique_ids(board: Board) -> None:
    made = json.loads(build(board))
    names = [variable["name"] for variable in made["templating"]["list"]]
    assert names == ["datasource", "namespace", "release", "track"]
    ids = [panel["id"] for panel in made["panels"]]
    assert len(ids) == len(set(ids))
    assert made["uid"] == board.uid
    bottom = 0
    for panel in made["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert place["y"] >= bottom if panel["type"] == "row" else True
        bottom = max(bottom, place["y"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_description_unit_and_scoped_queries(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.unit
    assert panel.queries
    for query in panel.queries:
        assert '"$namespace"' in query.expr


def test_the_chart_renders_each_as_a_config_map_that_the_sidecar_finds() -> None:
    found = {
        item.name: item.at("data")
        for item in rendered().of("ConfigMap")
        if item.labels.get("grafana_dashboard") == "1"
    }
    assert set(found) == {f"dashboard-{board.title.lower()}" for board in BOARDS}
    for data in found.values():
        ((name, text),) = data.items()
        assert name.endswith(".json")
        assert json.loads(text)["uid"].startswith("serinus-")
