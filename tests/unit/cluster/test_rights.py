import pytest

from serinus.cluster import rights
from serinus.cluster.rights import Resource, Right

SMALL = {"gateway": {"rateLimit": {"enabled": True}, "namespace": "edge", "checkHosts": True}}


def test_a_release_needs_the_gateways_namespace_and_a_look_at_all_gateways():
    found = rights.needed(SMALL, "shop")
    assert Right("create", Resource("apps", "deployments", "shop")) in found
    assert Right("patch", Resource("networking.istio.io", "envoyfilters", "edge")) in found
    assert Right("list", Resource("networking.istio.io", "gateways", None)) in found


def test_with_both_switched_off_nothing_leaves_the_namespace():
    values = {"gateway": {"rateLimit": {"enabled": False}, "checkHosts": False}}
    assert {right.resource.namespace for right in rights.needed(values, "shop")} == {"shop"}


def test_a_volume_of_the_charts_own_belongs_to_the_cluster():
    volume = {"type": "claim", "persistentVolume": {"hostPath": {}}}
    found = rights.written({"model": {"cache": volume}}, "shop")
    assert Resource("", "persistentvolumes", None) in found
    assert Resource("", "persistentvolumeclaims", "shop") in found
    taken = rights.written({"model": {"cache": {**volume, "existingClaim": "mine"}}}, "shop")
    assert Resource("", "persistentvolumes", None) not in taken


def test_what_the_revision_in_force_has_and_the_next_one_not_is_taken_away():
    without = {"gateway": {"rateLimit": {"enabled": False}, "namespace": "edge"}}
    filters = Resource("networking.istio.io", "envoyfilters", "edge")
    assert rights.taken_away(without, SMALL, "shop") == [filters]
    assert rights.taken_away(SMALL, without, "shop") == []


def test_only_what_is_refused_comes_back_in_its_order(cluster, server):
    server.forbidden = {("create", "services"), ("delete", "configmaps")}
    names = ("services", "configmaps", "secrets")
    asked = [Right(verb, Resource("", name, "shop")) for name in names for verb in rights.WRITES]
    assert rights.refused(cluster, asked) == [
        Right("create", Resource("", "services", "shop")),
        Right("delete", Resource("", "configmaps", "shop")),
    ]


def test_an_administrator_is_asked_once(cluster, server):
    assert rights.refused(cluster, rights.needed(SMALL, "shop")) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("values", [{}, {"gateway": {}}, {"workloads": {"a": {}}}])
def test_values_of_another_chart_are_read_as_far_as_they_go(values):
    assert rights.needed(values, "shop")
