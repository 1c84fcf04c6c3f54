"""The dashboards, as data: four modules of panels, built into JSON by `build`.

`python -m serinus.monitoring.dashboards charts/serinus/files/dashboards` writes the committed
files; `make check` fails when they differ.
"""

from serinus.monitoring.dashboards import experiment, gateway, model, overview
from serinus.monitoring.dashboards.panels import Board, Panel, Query

BOARDS: tuple[Board, ...] = (overview.BOARD, experiment.BOARD, model.BOARD, gateway.BOARD)

__all__ = ["BOARDS", "Board", "Panel", "Query"]
