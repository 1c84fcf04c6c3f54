import yaml

from serinus.cluster import split


def _service(name, **routes):
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {
            "http": [
                {
                    "name": route.replace("_", "-"),
                    "route": [
                        {"destination": {"host": name, "subset": subset}, "weight": weight}
                        for subset, weight in weights.items()
                    ],
                }
                for route, weights in routes.items()
            ]
        },
    }


def test_drawn_reads_the_route_that_new_visitors_meet():
    service = _service(
        "app-frontend-gateway",
        returning={"canary": 100},
        draw={"stable": 70, "canary": 30},
        draw_get={"stable": 60, "canary": 40},
    )
    assert split.drawn(service) == {"stable": 60, "canary": 40}
    assert split.drawn(None) == {}


def test_a_single_destination_has_everything_also_without_a_weight():
    service = _service("app-frontend-gateway", draw={"stable": None})
    assert split.drawn(service) == {"stable": 100}


def test_a_weight_changed_by_hand_is_named():
    released = _service("app-frontend-gateway", draw={"stable": 90, "canary": 10})
    live = _service("app-frontend-gateway", draw={"stable": 50, "canary": 50})
    found = split.hand_edits(yaml.safe_dump(released), [live, _service("another")])
    assert [str(edit) for edit in found] == [
        "VirtualService app-frontend-gateway, route draw: stable 50 % and canary 50 % in the "
        "cluster, stable 90 % and canary 10 % in the release"
    ]
    assert split.hand_edits(yaml.safe_dump(released), [released]) == []
