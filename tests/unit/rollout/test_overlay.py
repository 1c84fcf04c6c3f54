import copy

import pytest

from serinus import rollout
from serinus.clients.values import merge
from serinus.errors import RolloutError

VALUES = {
    "image": {"tag": "1"},
    "rollout": {
        "epoch": 7,
        "digest": "",
        "weights": {"stable": 90, "canary": 10},
        "canary": {"enabled": True, "routed": True},
    },
    "workloads": {
        "app-frontend": {
            "env": {},
            "tracks": {
                "stable": {"image": {"repository": "f", "tag": "1"}, "env": {"A": "old", "B": "x"}},
                "canary": {"image": {"repository": "f", "tag": "2"}, "env": {"A": "new"}},
            },
        },
        "model-service": {
            "tracks": {
                "stable": {"image": {"repository": "m"}, "model": {"name": "r", "version": "v1"}},
                "canary": {"image": {"repository": "m"}, "model": {"name": "r", "version": "v2"}},
            }
        },
    },
}
OFF = merge(
    VALUES,
    {
        "rollout": {
            "weights": {"stable": 100, "canary": 0},
            "canary": {"enabled": False, "routed": False},
        }
    },
)


def after(overlay, values=VALUES):
    return rollout.read(merge(values, overlay))


def test_a_weight_keeps_the_epoch_and_adds_up():
    overlay = rollout.set_weight({}, VALUES, 25)
    assert after(overlay) == rollout.Rollout(7, 75, 25, True, True)
    assert rollout.set_weight(overlay, merge(VALUES, overlay), 0)["rollout"]["epoch"] == 7


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_outside_of_0_to_100_is_refused(weight):
    with pytest.raises(RolloutError, match="0 to 100"):
        rollout.set_weight({}, VALUES, weight)
    with pytest.raises(RolloutError, match="0 to 100"):
        rollout.switch_on({}, OFF, weight)


def test_a_weight_for_a_canary_that_is_off_is_refused():
    with pytest.raises(RolloutError, match="rollout on"):
        rollout.set_weight({}, OFF, 5)
    assert rollout.set_weight({}, OFF, 0)["rollout"]["weights"]["canary"] == 0


def test_abort_is_one_step_into_a_new_epoch():
    overlay = rollout.abort({}, VALUES)
    assert after(overlay) == rollout.Rollout(8, 100, 0, False, False)
    assert after(overlay).drawn == 0
    with pytest.raises(RolloutError, match="nothing to abort"):
        rollout.abort(overlay, merge(VALUES, overlay))


def test_promote_gives_stable_all_of_the_canary_in_every_app():
    overlay = rollout.promote({}, VALUES)
    whole = merge(VALUES, overlay)
    assert rollout.read(whole) == rollout.Rollout(8, 100, 0, False, False)
    stable = whole["workloads"]["app-frontend"]["tracks"]["stable"]
    assert stable == {"image": {"repository": "f", "tag": "2"}, "env": {"A": "new", "B": None}}
    model = whole["workloads"]["model-service"]["tracks"]["stable"]
    assert model["model"] == {"name": "r", "version": "v2"}
    with pytest.raises(RolloutError, match="nothing to promote"):
        rollout.promote(overlay, whole)


def test_on_runs_first_and_routes_second():
    running, routed = rollout.switch_on({}, OFF, 20)
    assert after(running, OFF) == rollout.Rollout(7, 100, 0, True, False)
    assert after(running, OFF).drawn == 0
    assert after(routed, OFF) == rollout.Rollout(8, 80, 20, True, True)
    with pytest.raises(RolloutError, match="on already"):
        rollout.switch_on({}, VALUES, 20)


@pytest.mark.parametrize(
    "edit",
    [
        {"workloads": {"app-frontend": {"tracks": {"canary": {"env": {"A": "newer"}}}}}},
        {"workloads": {"app-frontend": {"tracks": {"canary": {"image": {"tag": "3"}}}}}},
        {"workloads": {"model-service": {"tracks": {"canary": {"model": {"version": "v3"}}}}}},
        {"image": {"tag": "2"}},
    ],
)
def test_a_changed_canary_raises_the_epoch_by_itself(edit):
    first = rollout.settle({}, VALUES)
    assert first["rollout"]["epoch"] == 7
    again = rollout.settle(first, merge(VALUES, first))
    assert again == first
    changed = rollout.settle(first, merge(VALUES, edit, first))
    assert changed["rollout"]["epoch"] == 8


@pytest.mark.parametrize(
    "edit",
    [
        {"rollout": {"weights": {"stable": 50, "canary": 50}}},
        {"workloads": {"app-frontend": {"tracks": {"stable": {"env": {"A": "newer"}}}}}},
        {"workloads": {"app-frontend": {"replicas": 3}}},
    ],
)
def test_what_is_not_the_canary_keeps_the_epoch(edit):
    first = rollout.settle({}, VALUES)
    assert rollout.settle(first, merge(VALUES, edit, first))["rollout"]["epoch"] == 7


def test_the_epoch_never_falls():
    overlay = {"rollout": {"epoch": 9}}
    assert rollout.settle(overlay, VALUES)["rollout"]["epoch"] == 9
    assert rollout.settle({"rollout": {"epoch": 3}}, VALUES)["rollout"]["epoch"] == 7


def test_inputs_stay_as_they_are():
    overlay, values = {"rollout": {"epoch": 7}}, copy.deepcopy(VALUES)
    for change in (rollout.abort, rollout.promote, rollout.settle):
        change(overlay, values)
    assert overlay == {"rollout": {"epoch": 7}}
    assert values == VALUES


def test_values_without_a_rollout_are_named():
    with pytest.raises(RolloutError, match="rollout"):
        rollout.read({})
