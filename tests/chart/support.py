"""What the chart's tests share: rendering, scenarios, and short ways to read an index."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from serinus.clients import helm, values
from serinus.manifests import Index, Object

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "serinus"
LOCAL_VALUES = ROOT / "src" / "serinus" / "local" / "values.yaml"
SCENARIOS = tuple(sorted((CHART / "ci").glob("*.yaml")))
NAMES = tuple(path.stem for path in SCENARIOS)
APPS = ("app-frontend", "app-service", "model-service")
NAMESPACE = "demo"

# What a render away from a cluster must be given.
GIVEN: Mapping[str, Any] = {
    "secrets": {"sessionKey": "s" * 20, "unitKey": "u" * 20},
    "store": {"postgresql": {"password": "p" * 20}},
}


def render(*layers: Mapping[str, Any], namespace: str = NAMESPACE, name: str = "serinus") -> Index:
    """Render the chart over what every render away from a cluster needs."""
    merged = values.merge(GIVEN, *layers)
    return Index.parse(helm.render(CHART, merged, name=name, namespace=namespace).manifest)


@cache
def scenario(name: str) -> Index:
    """Render one of the chart's scenario values files, with nothing added."""
    given = values.read(CHART / "ci" / f"{name}.yaml")
    return Index.parse(helm.render(CHART, given, namespace=NAMESPACE).manifest)


def one(index: Index, kind: str, name: str) -> Object:
    """The object of that kind and name; the test fails without it."""
    found = index.get(kind, name)
    assert found is not None, f"no {kind} {name}"
    return found


def pod_specs(index: Index) -> list[tuple[Object, Mapping[str, Any], Mapping[str, str]]]:
    """Every pod template: its object, pod spec and pod labels."""
    found = []
    for item in index:
        if item.kind in ("Deployment", "StatefulSet"):
            template = item.spec["template"]
            found.append((item, template["spec"], template["metadata"]["labels"]))
        elif item.kind == "Pod":
            found.append((item, item.spec, item.labels))
    return found


def selected(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of equalities takes these labels."""
    return all(labels.get(key) == value for key, value in selector.items())


def rules(index: Index, name: str) -> list[Mapping[str, Any]]:
    """The HTTP routes of a VirtualService."""
    return list(one(index, "VirtualService", name).spec["http"])


def hooks(*layers: Mapping[str, Any]) -> Index:
    """The Helm tests, which an install leaves out of its manifest."""
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        merged = dict(values.merge(GIVEN, *layers))
        texts = chart.render(merged, name="serinus", namespace=NAMESPACE)
    return Index.parse(
        "\n---\n".join(text for path, text in texts.items() if "/templates/tests/" in path)
    )
