"""The values file, its schema and the chart's own hygiene."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
import yaml

from serinus.clients import helm, values
from serinus.manifests import Index
from tests.chart.support import CHART, GIVEN, LOCAL_VALUES, NAMES, NAMESPACE, SCENARIOS, render

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = (CHART / "values.yaml").read_text()


def nodes(schema: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    yield path, schema
    for group in ("properties", "$defs"):
        for key, below in schema.get(group, {}).items():
            yield from nodes(below, f"{path}.{key}")


def test_the_schema_is_closed_and_describes_every_value() -> None:
    for path, node in nodes(SCHEMA):
        assert node.get("description") or path == "$", path
        if "properties" in node:
            assert node["additionalProperties"] is False, path


def test_every_value_has_a_comment() -> None:
    lines = VALUES.splitlines()
    bare = []
    for number, line in enumerate(lines):
        entry = re.match(r"( *)([A-Za-z][\w-]*):(.*)", line)
        if entry is None:
            continue
        nested = number + 1 < len(lines) and lines[number + 1].startswith(entry[1] + "  ")
        # The parts of a mapping written over two lines belong to the comment above it.
        part = entry[2] in ("requests", "limits")
        commented = lines[number - 1].strip().startswith("#")
        if entry[3].strip() and not (nested or part or commented):
            bare.append(f"{number + 1}: {line}")
    assert bare == []


def test_every_default_is_in_the_schema_and_every_required_value_has_a_default() -> None:
    defaults = yaml.safe_load(VALUES)
    assert set(SCHEMA["required"]) <= set(defaults)
    assert set(defaults) <= set(SCHEMA["properties"])


@pytest.mark.parametrize("path", SCENARIOS, ids=NAMES)
def test_a_scenario_says_what_it_is(path: Any) -> None:
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize("path", SCENARIOS, ids=NAMES)
def test_lint_is_clean(path: Any) -> None:
    report = helm_python.lint(CHART, values.read(path), strict=True, namespace=NAMESPACE)
    # An icon, which Helm recommends, would be an address outside of the project.
    assert [entry for entry in report["messages"] if entry["error"] != "icon is recommended"] == []
    assert report["errors"] == []


def test_the_local_run_s_values_are_the_chart_s() -> None:
    # The runner's own mail server is known to the runner only.
    runner = {"monitoring": {"alertmanager": {"smarthost": "127.0.0.1:1025"}}}
    index = render(values.read(LOCAL_VALUES), runner)
    assert index.get("StatefulSet", "postgresql") is None
    assert {item.spec["replicas"] for item in index.of("Deployment")} == {1}


@pytest.mark.parametrize("path", SCENARIOS, ids=NAMES)
def test_notes_tell_what_to_do_next(path: Any) -> None:
    given = values.read(path)
    notes = helm.render(CHART, given, namespace=NAMESPACE).notes
    scheme = "https" if given.get("gateway", {}).get("tls", {}).get("enabled") else "http"
    host = values.merge(yaml.safe_load(VALUES), given)["hosts"]["frontend"]
    assert f"  {scheme}://{host}" in notes
    assert "helm test serinus -n demo" in notes
    if path.stem.startswith("canary-"):
        assert "100 % stable, 0 % canary" in notes


def test_the_versions_of_chart_and_package_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    assert f'\nversion = "{chart["appVersion"]}"' in project


def test_a_release_name_and_namespace_of_full_length_fit() -> None:
    manifest = helm.render(CHART, GIVEN, name="r" * 53, namespace="n" * 63).manifest
    for item in Index.parse(manifest):
        assert len(item.name) <= 253
        for key, value in item.labels.items():
            assert len(value) <= 63, (str(item), key)
