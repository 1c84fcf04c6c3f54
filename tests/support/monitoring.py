"""Compiles a rendered chart's monitoring into files, as the run on one machine does.

Enters: an index of objects, pods. Leaves: file names and texts. Used by the golden tests, and as a
command (`python -m tests.support.monitoring DIRECTORY`) by `make check`, which gives the files of
the chart's own local run to promtool and amtool.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import yaml

from serinus.clients import helm
from serinus.clients.values import merge
from serinus.local import monitoring
from serinus.manifests import Index
from serinus.monitoring import alertmanager, grafana, prometheus, targets

CHART = Path(__file__).parents[2] / "charts" / "serinus"
SECRETS = {"secrets": {"sessionKey": "0" * 32, "unitKey": "1" * 32}}


def rendered() -> Index:
    """The chart as the run on one machine renders it."""
    packaged = yaml.safe_load(files("serinus.local").joinpath("values.yaml").read_text())
    values = merge(packaged, SECRETS, monitoring.values("127.20.7", {}))
    return Index.parse(helm.render(CHART, values).manifest)


def compiled(index: Index, pods: list[targets.Pod], folder: str) -> dict[str, str]:
    """Every file, by its path below `folder`."""
    rules = dict(prometheus.rules(index))
    made = {f"rules/{name}": text for name, text in rules.items()}
    made["prometheus.yml"] = prometheus.configuration(
        index,
        rules=[f"{folder}/rules/{name}" for name in rules],
        alertmanager="127.20.7.3:9093",
        targets=f"{folder}/targets",
        interval="15s",
    )
    made["alertmanager.yml"] = alertmanager.configuration(index)
    made |= {f"targets/{name}": text for name, text in targets.files(index, pods).items()}
    made |= {
        f"grafana/{name}": text
        for name, text in grafana.files(
            index, folder=f"{folder}/grafana", prometheus="http://127.20.7.2:9090"
        ).items()
    }
    return made


def main() -> None:
    """Write the files of the local run's chart."""
    folder = Path(sys.argv[1])
    for name, text in compiled(rendered(), [], str(folder)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
