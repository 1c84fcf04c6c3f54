"""What the chart writes, the rights that are asked for, and the Roles of docs/kubernetes agree."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from serinus.clients import helm, values
from serinus.cluster import rights
from serinus.manifests import Index
from tests.chart.api_server import plural
from tests.chart.support import CHART, NAMES, NAMESPACE, ROOT, scenario

HOME = ROOT / "docs" / "kubernetes" / "role.yaml"
MORE = ROOT / "docs" / "kubernetes" / "more.yaml"
WITHOUT = {"gateway": {"rateLimit": {"enabled": False}, "checkHosts": False}}

Rule = tuple[str | None, dict[str, Any]]


def rules(*files: Any) -> list[Rule]:
    """Rules with the namespace in which they hold: None is all of them, "" where it is applied."""
    return [
        (None if role["kind"] == "ClusterRole" else role["metadata"].get("namespace", ""), rule)
        for file in files
        for role in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        for rule in role["rules"]
    ]


def granted(right: rights.Right, found: list[Rule]) -> bool:
    group, name, namespace = right.resource
    return any(
        group in rule["apiGroups"] and name in rule["resources"] and right.verb in rule["verbs"]
        and (place is None or (place or NAMESPACE) == namespace)
        for place, rule in found
    )  # fmt: skip


def resources(index: Index) -> set[rights.Resource]:
    """Group, name and place of every rendered kind."""
    found = set()
    for item in index:
        version, _, _ = item.api_version.rpartition("/")
        namespace = None if item.kind == "PersistentVolume" else item.namespace
        found.add(rights.Resource(version, plural(item.kind), namespace))
    return found


def whole(name: str, *more: Any) -> values.Values:
    return helm.coalesce(CHART, values.merge(values.read(CHART / "ci" / f"{name}.yaml"), *more))


@pytest.mark.parametrize("name", NAMES)
def test_rights_are_asked_for_each_kind_that_is_written_and_no_other(name: str) -> None:
    written = rights.written(whole(name), NAMESPACE)
    # A Secret is written at least for Helm's revisions.
    rendered = resources(scenario(name)) | {rights.Resource("", "secrets", NAMESPACE)}
    assert set(written) == rendered
    assert len(written) == len(set(written))


@pytest.mark.parametrize("name", NAMES)
def test_the_roles_hold_every_right_that_is_asked_for(name: str) -> None:
    held = rules(HOME, MORE)
    every = rights.needed(whole(name, {"gateway": {"namespace": "istio-system"}}), NAMESPACE)
    assert [right for right in every if not granted(right, held)] == []
    if name != "volumes":
        held, at_home = rules(HOME), rights.needed(whole(name, WITHOUT), NAMESPACE)
        assert [right for right in at_home if not granted(right, held)] == []


def test_the_role_holds_nothing_that_no_scenario_asks_for() -> None:
    asked = {right.resource.name for name in NAMES for right in rights.needed(whole(name), "demo")}
    # Of waiting, of the Helm tests, of `serinus logs` and of `serinus rollout show`.
    asked |= {"pods", "replicasets", "pods/log", "pods/proxy", "services"}
    held = {name for _, rule in rules(HOME, MORE) for name in rule["resources"]}
    assert held - asked == set()


def test_the_role_reaches_no_further_than_its_namespace() -> None:
    (role,) = yaml.safe_load_all(HOME.read_text(encoding="utf-8"))
    assert role["kind"] == "Role"
    assert not any("*" in words for rule in role["rules"] for words in rule.values())
