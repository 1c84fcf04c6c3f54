import copy

import pytest

from serinus import rollout
from serinus.clients.values import merge
from serinus.cluster import desired

DEFAULTS = {
    "rollout": {
        "epoch": 1,
        "digest": "",
        "weights": {"stable": 90, "canary": 10},
        "canary": {"enabled": True, "routed": True},
    },
    "image": {"tag": ""},
    "workloads": {
        "app-service": {
            "replicas": 2,
            "env": {},
            "tracks": {
                "stable": {"image": {"tag": "1"}, "env": {}},
                "canary": {"image": {"tag": "2"}, "env": {}},
            },
        }
    },
}


def laid_over(values):
    return merge(copy.deepcopy(DEFAULTS), values)


def deployed(current, given, *, promoted=False):
    return desired.deployed(current, given, laid_over, promoted=promoted)


def rolled(current, change, *, promoted=False):
    return desired.rolled(current, change, laid_over, promoted=promoted)


def test_without_values_those_in_force_stay():
    current = deployed(None, {"hosts": {"frontend": "a"}})
    assert deployed(current, {}) == current


def test_given_values_replace_those_in_force_under_the_overlay():
    current = rolled(
        deployed(None, {"hosts": {"frontend": "a"}}),
        lambda overlay, values: rollout.set_weight(overlay, values, 40),
    )
    sent = deployed(current, {"api": {"expose": True}, "rollout": {"weights": {"canary": 5}}})
    assert "hosts" not in sent
    assert sent["rollout"]["weights"] == {"stable": 60, "canary": 40}
    given = {"rollout": {"epoch": 9, "weights": {"canary": 5}}}
    assert list(rollout.overruled(given, sent)) == [
        "rollout.weights.canary=5 of your values gives way to 40, which is in force; "
        "`serinus rollout` changes it"
    ]


def test_a_new_chart_default_is_never_lost():
    sent = deployed(deployed(None, {}), {})
    assert set(sent) == {"rollout"}


def test_another_canary_begins_an_epoch():
    current = deployed(None, {})
    canary = {"tracks": {"canary": {"image": {"tag": "3"}}}}
    assert deployed(current, {"workloads": {"app-service": canary}})["rollout"]["epoch"] == 2
    assert deployed(current, {})["rollout"]["epoch"] == 1


def test_promoted_tracks_stay_over_the_users_files_and_only_with_the_label():
    current = rolled(deployed(None, {}), rollout.promote)
    stable = {"tracks": {"stable": {"image": {"tag": "1"}}}}
    given = {"workloads": {"app-service": stable}}
    path = ("workloads", "app-service", "tracks", "stable", "image", "tag")
    for promoted, tag in ((True, "2"), (False, "1")):
        found = deployed(current, given, promoted=promoted)
        for step in path:
            found = found[step]
        assert found == tag


def test_a_promotion_keeps_what_it_did_not_give():
    current = rolled(
        deployed(None, {"workloads": {"app-service": {"tracks": {"stable": {"replicas": 3}}}}}),
        rollout.promote,
    )
    stable = {"replicas": 6, "env": {"ONLY_STABLE": "1"}, "image": {"digest": "sha256:1"}}
    given = {"workloads": {"app-service": {"tracks": {"stable": stable}}}}
    sent = laid_over(deployed(current, given, promoted=True))
    assert sent["workloads"]["app-service"]["tracks"]["stable"] == {
        "replicas": 6, "env": {}, "image": {"tag": "2"},
    }  # fmt: skip
    assert list(rollout.overruled(given, sent)) == [
        f"workloads.app-service.tracks.stable.{path} of your values gives way to None, "
        "which was promoted"
        for path in ("env.ONLY_STABLE=1", "image.digest=sha256:1")
    ]


def test_a_higher_epoch_that_is_given_is_taken():
    current = deployed(None, {})
    assert deployed(current, {"rollout": {"epoch": 9}})["rollout"]["epoch"] == 9
    canary = {"app-service": {"tracks": {"canary": {"image": {"tag": "3"}}}}}
    both = deployed(current, {"rollout": {"epoch": 9}, "workloads": canary})
    assert both["rollout"]["epoch"] == 9
    later = deployed(current, {"rollout": {"epoch": 9}})
    assert deployed(later, {"rollout": {"epoch": 3}})["rollout"]["epoch"] == 9


def test_a_canary_that_runs_without_routes_is_waited_for_again():
    running = deployed(None, {"rollout": {"canary": {"routed": False}}})
    on = rolled(running, lambda overlay, values: rollout.switch_on(overlay, values, 20)[1])
    first = desired.first_step(rollout.read(laid_over(running)), on, laid_over(on))
    assert first is not None
    assert first["rollout"]["canary"] == {"enabled": True, "routed": False}


def test_switching_on_takes_two_steps_and_everything_else_one():
    on = deployed(None, {})
    off = rolled(on, rollout.abort)
    before = rollout.read(laid_over(off))
    again = rolled(off, lambda overlay, values: rollout.switch_on(overlay, values, 20)[1])
    first = desired.first_step(before, again, laid_over(again))
    assert first is not None
    running = rollout.read(laid_over(first))
    assert (running.enabled, running.routed, running.drawn) == (True, False, 0)
    assert running.epoch == before.epoch < rollout.read(laid_over(again)).epoch
    assert desired.first_step(rollout.read(laid_over(on)), off, laid_over(off)) is None
    assert desired.first_step(None, on, laid_over(on)) is None


@pytest.mark.parametrize(
    ("change", "epoch"),
    [
        (lambda overlay, values: rollout.set_weight(overlay, values, 50), 1),
        (rollout.abort, 3),
        (rollout.promote, 3),
    ],
)
def test_leading_back_never_lowers_the_epoch(change, epoch):
    before = deployed(None, {})
    after = rolled(before, change)
    sent = desired.led_back(after, before, laid_over(after), laid_over(before))
    assert rollout.read(laid_over(sent)).epoch == epoch
    assert laid_over(sent)["rollout"]["weights"] == {"stable": 90, "canary": 10}
