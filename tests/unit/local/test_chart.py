"""The project's own chart, as one machine plans it; nothing is started."""

import pytest

from serinus.errors import ChartError, ManifestError
from serinus.local import session


@pytest.fixture
def prepare(tmp_path):
    space = session.workspace(tmp_path / "state")
    return lambda *sets: session.prepare(space, session.Asked((), sets))


def test_six_workloads_in_starting_order_with_their_listeners(prepare, tmp_path):
    plan = prepare().plan
    assert [item.name for item in plan.workloads] == [
        f"{app}-{track}"
        for app in ("model-service", "app-service", "app-frontend")
        for track in ("stable", "canary")
    ]
    assert {(item.workload, item.service) for item in plan.outbound} == {
        (f"{app}-{track}", service)
        for app, service in (("app-frontend", "app-service"), ("app-service", "model-service"))
        for track in ("stable", "canary")
    }
    by_name = {item.name: item.template.env for item in plan.workloads}
    state = tmp_path / "state"
    assert by_name["model-service-stable"]["MODEL_REGISTRY"] == str(state / "registry")
    assert by_name["app-service-canary"]["SERINUS_DATA_DIR"] == str(
        state / "volumes" / "event-store"
    )
    assert {env["SERINUS_HOST"] for env in by_name.values()} == {"@POD_IP@"}
    urls = {env["APP_SERVICE_URL"] for name, env in by_name.items() if "frontend" in name}
    assert len(urls) == 2
    assert all(url.startswith("http://127.") for url in urls)


@pytest.mark.parametrize(
    "sets",
    [
        "rollout.canary.enabled=false,rollout.canary.routed=false,"
        "rollout.weights.stable=100,rollout.weights.canary=0",
        "rollout.canary.routed=false,rollout.weights.stable=100,rollout.weights.canary=0",
        "api.expose=false",
        "gateway.rateLimit.enabled=false",
        "monitoring.enabled=false",
        "workloads.model-service.replicas=2",
        "policy.mesh=false,policy.network=false",
        "hosts.frontend=reviews.localhost",
    ],
)
def test_what_people_set_can_be_planned(prepare, sets):
    assert prepare(sets).plan.workloads


def test_a_weight_changes_no_template(prepare):
    templates = [
        [item.template for item in prepare(sets).plan.workloads]
        for sets in (
            "rollout.weights.stable=90,rollout.weights.canary=10",
            "rollout.weights.stable=50,rollout.weights.canary=50",
        )
    ]
    # Keys are made up anew for each plan that starts nothing; they are the same in one run.
    assert templates[0] == templates[1]


def test_what_one_machine_cannot_run_says_what_to_do(prepare):
    bundled = "store.postgresql.enabled=true,store.postgresql.password=0123456789abcdef"
    with pytest.raises(ManifestError, match=r"StatefulSet postgresql.*use store\.sqlite"):
        prepare(f"{bundled},store.sqlite.allow=false")
    with pytest.raises(ChartError, match=r"rollout|weights"):
        prepare("rollout.weights.canary=30")


def test_every_reason_is_said_once(prepare):
    found = prepare().without_effect
    assert len({(item.kind, item.path) for item in found}) == len(found)
    assert {"NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"} <= {
        item.kind for item in found if not item.path
    }
