"""Pods: Pod Security "restricted", probes, stopping, environment, scaling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from serinus.contracts.routing import APPS
from tests.chart.support import NAMES, hooks, one, pod_specs, render, scenario

ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


def violations(pod: Mapping[str, Any]) -> list[str]:
    """What Pod Security "restricted" (Kubernetes 1.34) has to say against a pod."""
    found = []
    security = pod.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            found.append(field)
    for volume in pod.get("volumes", ()):
        if not (set(volume) - {"name"}) <= ALLOWED_VOLUMES:
            found.append(f"volume {volume}")
    if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("seccompProfile")
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") in (None, 0):
        found.append("runAsNonRoot")
    for container in [*pod["containers"], *pod.get("initContainers", ())]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            found.append(f"{container['name']} privileges")
        if own.get("capabilities", {}) != {"drop": ["ALL"]}:
            found.append(f"{container['name']} capabilities")
        if any(port.get("hostPort") for port in container.get("ports", ())):
            found.append(f"{container['name']} hostPort")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_pods_meet_the_restricted_profile(name: str) -> None:
    for owner, pod, _ in pod_specs(scenario(name)):
        assert violations(pod) == [], str(owner)
        assert pod["automountServiceAccountToken"] is False, str(owner)
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, str(owner)


def test_the_check_of_the_profile_finds_a_root_container() -> None:
    pod = {"containers": [{"name": "x"}], "hostNetwork": True}
    assert violations(pod) == [
        "hostNetwork", "seccompProfile", "runAsNonRoot", "x privileges", "x capabilities",
    ]  # fmt: skip


def test_helm_tests_meet_the_profile_and_run_files_that_exist() -> None:
    index = hooks()
    scripts = one(index, "ConfigMap", "helm-test").raw["data"]
    pods = index.of("Pod")
    assert {pod.name for pod in pods} == {
        "helm-test-review", "helm-test-metrics", "helm-test-policy",
    }  # fmt: skip
    for pod in pods:
        assert violations(pod.spec) == []
        assert pod.annotations["helm.sh/hook"] == "test"
        assert pod.labels["sidecar.istio.io/inject"] == "false"
        script = pod.spec["containers"][0]["command"][-1].removeprefix("/tests/")
        compile(scripts[script], script, "exec")


def deployment(name: str = "app-service-stable", scene: str = "default-cluster") -> Any:
    return one(scenario(scene), "Deployment", name).raw["spec"]


def environment(spec: Any) -> dict[str, Any]:
    entries = spec["template"]["spec"]["containers"][0]["env"]
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names), names
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


def test_one_deployment_per_application_and_track() -> None:
    index = scenario("default-cluster")
    assert sorted(item.name for item in index.of("Deployment")) == sorted(
        f"{app}-{track}" for app in APPS for track in ("stable", "canary")
    )
    for item in index.of("Deployment"):
        app, _, track = item.name.rpartition("-")
        labels = item.raw["spec"]["template"]["metadata"]["labels"]
        assert (labels["app"], labels["version"]) == (app, track)
        assert item.raw["spec"]["selector"]["matchLabels"] == {"app": app, "version": track}


def test_the_environment_is_the_contract_s() -> None:
    frontend = environment(deployment("app-frontend-canary"))
    service = environment(deployment("app-service-stable"))
    model = environment(deployment("model-service-canary"))
    for app, env in (
        ("app-frontend", frontend),
        ("app-service", service),
        ("model-service", model),
    ):
        assert env["SERINUS_APP"] == app
        assert env["SERINUS_HOST"] == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert (env["SERINUS_HTTP_PORT"], env["SERINUS_METRICS_PORT"]) == ("8080", "9090")
        assert (env["SERINUS_LOG_LEVEL"], env["SERINUS_SHUTDOWN_SECONDS"]) == ("info", "25")
    assert frontend["APP_SERVICE_URL"] == "http://app-service"
    assert frontend["SHOW_CONFIDENCE"] == "true"
    assert environment(deployment("app-frontend-stable"))["SHOW_CONFIDENCE"] == "false"
    assert frontend["SESSION_KEY"] == {
        "secretKeyRef": {"name": "serinus-keys", "key": "session-key"}
    }
    assert service["MODEL_SERVICE_URL"] == "http://model-service"
    assert service["UNIT_KEY"] == {"secretKeyRef": {"name": "serinus-keys", "key": "unit-key"}}
    assert service["DATABASE_URL"] == {
        "secretKeyRef": {"name": "postgresql", "key": "database-url"}
    }
    assert "SERINUS_DATA_DIR" not in service
    assert (model["MODEL_NAME"], model["MODEL_VERSION"]) == ("reviews", "v2")
    assert (model["MODEL_REGISTRY"], model["MODEL_CACHE"]) == ("/registry", "/cache")


def test_a_track_s_variable_overrides_the_application_s() -> None:
    index = scenario("two-hosts")
    stable = environment(one(index, "Deployment", "app-frontend-stable").raw["spec"])
    canary = environment(one(index, "Deployment", "app-frontend-canary").raw["spec"])
    assert (stable["SERINUS_ACCESS_LOG"], canary["SERINUS_ACCESS_LOG"]) == ("false", "true")
    assert canary["SERINUS_VERSION"] == "0.2.0"
    assert one(index, "Deployment", "app-frontend-canary").spec["replicas"] == 1


def test_a_track_s_empty_variable_overrides_too() -> None:
    tracks = {"stable": {"env": {"NOTE": ""}}}
    index = render({"workloads": {"app-service": {"env": {"NOTE": "both"}, "tracks": tracks}}})
    stable, canary = (
        environment(one(index, "Deployment", f"app-service-{track}").raw["spec"])
        for track in ("stable", "canary")
    )
    assert (stable["NOTE"], canary["NOTE"]) == ("", "both")


def test_a_pod_that_starts_again_meets_the_settings_of_its_own_revision() -> None:
    """What a pod reads of an object that an upgrade changes in place would be the next one's."""
    index = render({"workloads": {app: {"env": {"NOTE": "x"}} for app in APPS}})
    for item in index.of("Deployment"):
        spec = item.raw["spec"]
        assert environment(spec)["NOTE"] == "x", str(item)
        assert "configMap" not in json.dumps(spec), str(item)


def test_another_key_restarts_the_pods_that_read_it() -> None:
    """Old and new ones side by side would make two units of one visitor."""

    def notes(keys: dict[str, str]) -> dict[str, Any]:
        index = render({"secrets": keys})
        templates = {
            app: one(index, "Deployment", f"{app}-stable").spec["template"] for app in APPS
        }
        return {app: each["metadata"]["annotations"] for app, each in templates.items()}

    before = notes({})
    other = {"sessionKey": "z" * 20, "unitKey": "z" * 20}
    for key, reader in (("sessionKey", "app-frontend"), ("unitKey", "app-service")):
        after = notes({key: other[key]})
        assert {app for app in APPS if after[app] != before[app]} == {reader}
    existing = {"existingSecret": "keys"}
    assert notes(existing) == notes(existing | other)


def test_the_cluster_may_choose_the_user() -> None:
    """OpenShift gives each namespace a range, and refuses a number outside of it."""
    index = render({"pods": {"userId": 0}, "store": {"postgresql": {"userId": 0}}})
    for owner, pod, _ in pod_specs(index):
        assert set(pod["securityContext"]) == {"runAsNonRoot", "seccompProfile"}, str(owner)


def test_an_image_is_pinned_by_its_digest() -> None:
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "app-service", "tag": "2.1.0", "digest": digest}
    database = {"repository": "postgres", "tag": "17", "digest": digest}
    index = render(
        {
            "workloads": {"app-service": {"tracks": {"canary": {"image": image}}}},
            "store": {"postgresql": {"image": database}},
        }
    )
    found = {owner.name: pod["containers"][0]["image"] for owner, pod, _ in pod_specs(index)}
    assert found["app-service-canary"] == f"app-service:2.1.0@{digest}"
    assert found["app-service-stable"] == "app-service:0.2.0"
    assert found["postgresql"] == f"postgres:17@{digest}"
    spec = one(index, "Deployment", "app-service-canary").raw["spec"]
    assert environment(spec)["SERINUS_VERSION"] == "2.1.0"


def test_probes_are_apart_and_on_the_second_port() -> None:
    container = deployment()["template"]["spec"]["containers"][0]
    assert container["startupProbe"]["httpGet"] == {"path": "/livez", "port": "http-metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http-metrics"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http-metrics"}


def test_a_pod_stops_after_proxies_and_requests_let_go_of_it() -> None:
    spec = deployment()["template"]["spec"]
    assert spec["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert spec["terminationGracePeriodSeconds"] == 5 + 25 + 5
    proxy = deployment()["template"]["metadata"]["annotations"]["proxy.istio.io/config"]
    assert '"terminationDrainDuration":"25s"' in proxy


def test_a_rolling_update_never_has_fewer_pods() -> None:
    assert deployment()["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment()["replicas"] == 2


def test_each_track_is_spread_over_nodes_and_disrupted_one_pod_at_a_time() -> None:
    index = scenario("default-cluster")
    assert len(index.of("PodDisruptionBudget")) == 6
    for budget in index.of("PodDisruptionBudget"):
        assert budget.spec["maxUnavailable"] == 1
    spread = deployment()["template"]["spec"]["topologySpreadConstraints"]
    keys = [one["topologyKey"] for one in spread]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for entry in spread:
        # One node or one zone may be all there is.
        assert entry["whenUnsatisfiable"] == "ScheduleAnyway"
        assert entry["labelSelector"]["matchLabels"] == {"app": "app-service", "version": "stable"}


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_start_that_is_allowed_is_no_failed_roll(seconds: int) -> None:
    index = render({"pods": {"probes": {"startupSeconds": seconds}}})
    for item in index.of("Deployment"):
        probe = item.spec["template"]["spec"]["containers"][0]["startupProbe"]
        started = probe["periodSeconds"] * probe["failureThreshold"]
        assert item.spec["progressDeadlineSeconds"] == started + 240 == seconds + 240


def test_autoscaling_leaves_the_number_of_pods_to_the_autoscaler() -> None:
    index = scenario("autoscaling")
    assert len(index.of("HorizontalPodAutoscaler")) == 6
    for item in index.of("Deployment"):
        assert "replicas" not in item.spec
        scaler = one(index, "HorizontalPodAutoscaler", item.name).spec
        assert scaler["scaleTargetRef"]["name"] == item.name
        metric = scaler["metrics"][0]
        assert metric["type"] == "ContainerResource"
        assert metric["containerResource"]["container"] == "app"
    assert scenario("default-cluster").of("HorizontalPodAutoscaler") == ()


def test_common_settings_of_pods_reach_every_deployment() -> None:
    for item in scenario("two-hosts").of("Deployment"):
        template = item.spec["template"]
        assert template["metadata"]["labels"]["istio.io/rev"] == "canary"
        assert template["metadata"]["annotations"]["example.org/team"] == "reviews"


SCHEDULING = {
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "reviews", "operator": "Exists"}],
    "priorityClassName": "high",
}


def test_every_pod_runs_where_pods_may_run() -> None:
    given = {"pods": SCHEDULING, "image": {"pullSecrets": ["registry-login"]}}
    owners = [
        *pod_specs(render(given)),
        *pod_specs(hooks(given)),
    ]
    assert {owner.kind for owner, _, _ in owners} == {"Deployment", "StatefulSet", "Pod"}
    for owner, spec, _ in owners:
        assert {key: spec.get(key) for key in SCHEDULING} == SCHEDULING, str(owner)
        assert spec["imagePullSecrets"] == [{"name": "registry-login"}], str(owner)


def test_a_sidecars_statistics_are_added_to_the_charts() -> None:
    matcher = {"proxyStatsMatcher": {"inclusionRegexps": ["mine"]}}
    index = render({"pods": {"proxyConfig": matcher}, "monitoring": {"meshMetrics": "envoy"}})
    notes = [
        one(index, kind, name).spec["template"]["metadata"]["annotations"]
        for kind, name in (("Deployment", "app-service-stable"), ("StatefulSet", "postgresql"))
    ]
    app, database = (json.loads(each["proxy.istio.io/config"]) for each in notes)
    assert app["proxyStatsMatcher"]["inclusionRegexps"][1:] == ["mine"]
    assert database == matcher


def test_autoscaling_asks_nothing_of_a_canary_that_does_not_run() -> None:
    own = {"resources": {"limits": {"memory": "1Gi"}}}
    scaled = {"autoscaling": {"enabled": True}, "tracks": {"canary": own}}
    off = {"canary": {"enabled": False, "routed": False}}
    render({"workloads": {"app-service": scaled}, "rollout": off})


def test_a_sidecars_settings_are_laid_over_the_charts() -> None:
    index = render({"pods": {"proxyConfig": {"concurrency": 2, "terminationDrainDuration": "9s"}}})
    template = one(index, "Deployment", "app-service-stable").spec["template"]
    assert json.loads(template["metadata"]["annotations"]["proxy.istio.io/config"]) == {
        "concurrency": 2, "holdApplicationUntilProxyStarts": True, "terminationDrainDuration": "9s",
    }  # fmt: skip


def test_images_are_registry_repository_and_tag() -> None:
    index = scenario("existing-secrets-and-claims")
    for item in index.of("Deployment"):
        app = item.labels["app"]
        spec = item.spec["template"]["spec"]
        assert spec["containers"][0]["image"] == f"registry.example.org/team/{app}:2.1.0"
        assert spec["imagePullSecrets"] == [{"name": "registry-login"}]
