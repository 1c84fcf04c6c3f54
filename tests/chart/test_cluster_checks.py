"""What the chart does when a real API server answers: secrets kept, and refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import helm_python
import pytest
from helm_python import _native

from serinus.manifests import Index, Object
from tests.chart.api_server import api_server
from tests.chart.support import APPS, CHART, NAMESPACE, one

NETWORKING = "networking.istio.io/v1"


def held(kind: str, version: str, name: str, *, namespace: str = NAMESPACE, **rest: Any) -> Any:
    """An object that the cluster holds already."""
    metadata = {"name": name, "namespace": namespace} | rest.pop("metadata", {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata} | rest


def install(
    *objects: Mapping[str, Any], values: Mapping[str, Any] | None = None, lists: bool = True
) -> Index:
    """What an install into a cluster with these objects would send."""
    options = {
        "namespace": NAMESPACE,
        "dry_run": "server",
        # Our server holds no OpenAPI; what exists already is an earlier revision's.
        "disable_openapi_validation": True,
        "take_ownership": True,
    }
    with (
        api_server(*objects, lists=lists) as kubeconfig,
        helm_python.Config(kubeconfig_content=kubeconfig, namespace=NAMESPACE) as config,
    ):
        # The wrapper's install() lacks both; its low-level call has them.
        payload = _native.call_string(
            "helm_install", config._raw(), 0, 0, str(CHART), "serinus",
            json.dumps(dict(values or {})), json.dumps(options),
        )  # fmt: skip
    return Index.parse(json.loads(payload)["manifest"])


def refused(*objects: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(helm_python.HelmError) as caught:
        install(*objects, values=values)
    return str(caught.value)


def text(secret: Object, key: str) -> str:
    return base64.b64decode(secret.raw["data"][key]).decode()


def test_keys_are_generated_on_a_cluster() -> None:
    first, second = (one(install(), "Secret", "serinus-keys") for _ in range(2))
    assert len(text(first, "unit-key")) == 48
    assert text(first, "unit-key") != text(first, "session-key")
    assert text(first, "unit-key") != text(second, "unit-key")


def test_keys_are_not_generated_where_the_api_is_only_named() -> None:
    """As under `helm template --api-versions`: each render would make new ones."""
    with pytest.raises(helm_python.HelmError, match="no cluster is at hand that would keep"):
        install(lists=False)


def test_kept_keys_come_back_on_every_upgrade() -> None:
    values = {"unit-key": "kept-unit-key-0000001", "session-key": "kept-session-key-0001"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    found = one(install(held("Secret", "v1", "serinus-keys", data=data)), "Secret", "serinus-keys")
    assert {key: text(found, key) for key in values} == values


def test_a_given_key_wins_over_the_kept_one() -> None:
    data = {"unit-key": base64.b64encode(b"kept-unit-key-0000001").decode()}
    given = {"secrets": {"unitKey": "given-unit-key-000001"}}
    found = one(
        install(held("Secret", "v1", "serinus-keys", data=data), values=given),
        "Secret",
        "serinus-keys",
    )
    assert text(found, "unit-key") == "given-unit-key-000001"
    assert len(text(found, "session-key")) == 48


def test_the_database_keeps_its_password() -> None:
    data = {"password": base64.b64encode(b"kept-password-0001").decode()}
    found = one(install(held("Secret", "v1", "postgresql", data=data)), "Secret", "postgresql")
    assert text(found, "password") == "kept-password-0001"
    assert ":kept-password-0001@" in text(found, "database-url")


def test_another_password_than_the_databases_is_refused() -> None:
    data = {"password": base64.b64encode(b"kept-password-0001").decode()}
    secret = held("Secret", "v1", "postgresql", data=data)
    message = refused(secret, values={"store": {"postgresql": {"password": "new-password-000"}}})
    assert "store.postgresql.password: the database was made with another one" in message
    assert "kept-password" not in message
    install(secret, values={"store": {"postgresql": {"password": "kept-password-0001"}}})


def test_a_database_whose_password_is_gone_is_refused() -> None:
    claim = held("PersistentVolumeClaim", "v1", "data-postgresql-0")
    assert "claim data-postgresql-0 holds a database, and Secret postgresql" in refused(claim)
    install(claim, values={"store": {"postgresql": {"password": "known-password-01"}}})
    install(claim, values={"store": {"postgresql": {"existingSecret": "mine"}}})


def database(**spec: Any) -> Any:
    """A StatefulSet as it runs; with no `spec` its claim is one of the user's."""
    template = {"spec": {"resources": {"requests": {"storage": "2Gi"}}} | spec}
    claims = {"volumeClaimTemplates": [template]} if spec else {}
    return held("StatefulSet", "apps/v1", "postgresql", spec={"replicas": 1} | claims)


CLAIM = {"accessModes": ["ReadWriteOnce"]}


@pytest.mark.parametrize(
    ("live", "values", "message"),
    [
        (CLAIM, {"size": "4Gi"}, "size: the database's claim was made with 2Gi, not 4Gi"),
        (CLAIM, {"storageClassName": "fast"}, 'made with "the cluster\'s default class"'),
        (CLAIM, {"storageClassName": "-"}, "storageClassName: the database's claim"),
        (CLAIM | {"storageClassName": "fast"}, {}, 'the database\'s claim was made with "fast"'),
        (CLAIM, {"existingClaim": "mine"}, "the database that runs has data-postgresql-0"),
        ({}, {}, "existingClaim: the database that runs has a claim of yours"),
    ],
)
def test_what_a_stateful_set_keeps_is_refused_before_anything_changes(
    live: Any, values: Any, message: str
) -> None:
    said = refused(database(**live), values={"store": {"postgresql": values}})
    assert message in said
    assert "kubectl delete statefulset postgresql --cascade=orphan" in said


@pytest.mark.parametrize(
    ("live", "values"),
    [
        (CLAIM, {}),
        (CLAIM, {"size": "2048Mi"}),
        (CLAIM, {"size": "2097152Ki"}),
        (CLAIM | {"storageClassName": "fast"}, {"storageClassName": "fast"}),
        (CLAIM | {"storageClassName": ""}, {"storageClassName": "-"}),
        ({}, {"existingClaim": "mine"}),
    ],
)
def test_a_stateful_set_that_stays_as_it_is_is_none_to_refuse(live: Any, values: Any) -> None:
    install(database(**live), values={"store": {"postgresql": values}})


def wrote(manager: str, operation: str, *fields: str, subresource: str = "") -> Any:
    """What a manager wrote into `spec`, as an API server notes it."""
    written: dict[str, Any] = {"f:spec": {f"f:{field}": {} for field in fields}}
    found: dict[str, Any] = {"manager": manager, "operation": operation, "fieldsV1": written}
    return found | ({"subresource": subresource} if subresource else {})


RWX = {"accessModes": ["ReadWriteMany"]}
MADE = {"resources": {"requests": {"storage": "2Gi"}}} | RWX
VOLUME = {"hostPath": {"path": "/x"}}
PINNED = f"serinus-{NAMESPACE}-model-cache"  # by chart 0.1.0


def cache(*written: str, **spec: Any) -> Any:
    """The claim of a model cache as it is bound; Helm wrote these fields beside the usual ones."""
    fields = wrote("helm", "Apply", "accessModes", "resources", *written)
    binder = wrote("kube-controller-manager", "Update", "volumeName")
    spec = {"volumeName": "pvc-0001"} | MADE | spec
    metadata = {"managedFields": [fields, binder]}
    return held("PersistentVolumeClaim", "v1", "model-cache", spec=spec, metadata=metadata)


def caching(**values: Any) -> Any:
    return {"model": {"cache": {"type": "claim", "size": "2Gi"} | values}}


@pytest.mark.parametrize(
    ("live", "values", "message"),
    [
        (cache(), {"size": "1Gi"}, "size: claim model-cache has 2Gi, and a claim only grows"),
        (
            cache("storageClassName", storageClassName="fast"), {"storageClassName": "slow"},
            'storageClassName: claim model-cache was made with storageClassName "fast"',
        ),
        (
            cache("storageClassName", storageClassName="fast"), {},
            'storageClassName: claim model-cache was made with storageClassName "fast"',
        ),
        (
            cache(storageClassName="standard"), {"storageClassName": "-"},
            'storageClassName: claim model-cache was made with storageClassName "standard"',
        ),
        (
            cache(accessModes=["ReadWriteOnce"]), {},
            'accessMode: claim model-cache was made with accessModes ["ReadWriteOnce"]',
        ),
        (
            cache(), {"persistentVolume": VOLUME},
            'persistentVolume: claim model-cache was made with volumeName "pvc-0001"',
        ),
        (
            cache("volumeName", volumeName="mine"), {},
            'persistentVolume: claim model-cache was made with volumeName "mine"',
        ),
    ],
)  # fmt: skip
def test_what_a_claim_keeps_is_refused_before_anything_changes(
    live: Any, values: Any, message: str
) -> None:
    said = refused(live, values=caching(**values))
    assert f"model.cache.{message}" in said
    assert "name it in model.cache.existingClaim" in said
    install(live, values=caching(existingClaim="mine", **values | {"persistentVolume": {}}))
    install(live, values={"model": {"cache": values | {"persistentVolume": {}}}})


@pytest.mark.parametrize(
    ("live", "values"),
    [
        (cache(), {"size": "2048Mi"}),
        (cache(), {"size": "4Gi"}),
        # The cluster's default class, which nobody asked for by name.
        (cache(storageClassName="standard"), {}),
        (cache(storageClassName="standard"), {"storageClassName": "standard"}),
        (cache("storageClassName", storageClassName=""), {"storageClassName": "-"}),
        (
            cache("volumeName", "storageClassName", storageClassName="", volumeName=PINNED),
            {"persistentVolume": VOLUME},
        ),
    ],
)
def test_a_claim_that_stays_as_it_is_is_none_to_refuse(live: Any, values: Any) -> None:
    install(live, values=caching(**values))


@pytest.mark.parametrize(
    ("live", "name"),
    [
        ([], f"{NAMESPACE}.serinus-model-cache"),
        ([cache("volumeName", "storageClassName", storageClassName="", volumeName=PINNED)], PINNED),
    ],
)
def test_a_claim_keeps_the_volume_that_it_was_made_with(live: Any, name: str) -> None:
    index = install(*live, values=caching(persistentVolume=VOLUME))
    assert one(index, "PersistentVolumeClaim", "model-cache").spec["volumeName"] == name
    (volume,) = index.of("PersistentVolume")
    assert volume.name == name


def gateway(host: str, namespace: str, **selector: str) -> Any:
    servers = [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}]
    spec = {"selector": selector or {"istio": "ingressgateway"}, "servers": servers}
    return held("Gateway", NETWORKING, "gateway", namespace=namespace, spec=spec)


@pytest.mark.parametrize("host", ["app-frontend.k8s.local", "other/app-frontend.k8s.local"])
def test_a_host_of_another_release_is_refused(host: str) -> None:
    message = refused(gateway(host, "other"))
    assert (
        "hosts: app-frontend.k8s.local is served by Gateway gateway of namespace other" in message
    )
    assert "Choose another host" in message


def test_other_hosts_gateways_and_our_own_are_no_conflict() -> None:
    install(
        gateway("app-frontend.k8s.local", NAMESPACE),
        gateway("elsewhere.k8s.local", "other"),
        gateway("app-frontend.k8s.local", "third", istio="another-gateway"),
        gateway("app-frontend.k8s.local", "third", istio="another-gateway", tier="edge"),
        gateway("*", "istio-system"),
        gateway("*.k8s.local", "istio-system"),
    )


@pytest.mark.parametrize(
    "selector", [{"app": "istio-ingressgateway"}, {"istio": "ingressgateway", "tier": "edge"}]
)
def test_a_gateway_that_may_select_the_same_pods_is_a_conflict(selector: dict[str, str]) -> None:
    message = refused(gateway("app-frontend.k8s.local", "other", **selector))
    assert "is served by Gateway gateway of namespace other already" in message


def test_a_host_of_a_gateway_made_by_hand_in_this_namespace_is_refused() -> None:
    theirs = gateway("app-frontend.k8s.local", NAMESPACE)
    theirs["metadata"]["name"] = "by-hand"
    message = refused(theirs)
    assert f"is served by Gateway by-hand of namespace {NAMESPACE} already" in message


def owned(item: Any, release: str) -> Any:
    """An object of another release, as Helm marks it."""
    item["metadata"]["annotations"] = {"meta.helm.sh/release-name": release}
    return item


def test_a_host_of_another_release_in_this_namespace_is_refused() -> None:
    mine, theirs = (owned(gateway("app-frontend.k8s.local", NAMESPACE), name) for name in "ab")
    mine["metadata"]["annotations"]["meta.helm.sh/release-name"] = "serinus"
    install(mine)
    assert f"of namespace {NAMESPACE} already" in refused(theirs)


def test_a_second_release_in_the_namespace_is_refused() -> None:
    theirs = owned(gateway("app-frontend.k8s.local", NAMESPACE), "reviews")
    message = refused(owned(routes(1), "reviews"), theirs)
    assert f"namespace {NAMESPACE} holds release reviews already" in message
    assert "Install this one into a namespace of its own" in message
    install(owned(routes(1), "serinus"), *canaries(*APPS))


def test_the_check_of_hosts_can_be_left_out() -> None:
    install(gateway("app-frontend.k8s.local", "other"), values={"gateway": {"checkHosts": False}})


def routes(epoch: int, *tracks: str) -> Any:
    """The gateway's rules as an earlier revision left them, with a draw among these tracks."""
    drawn = [{"destination": {"host": "app-frontend", "subset": track}} for track in tracks]
    # The canary's assets have a rule of their own before anybody is drawn for it.
    assets = [{"destination": {"host": "app-frontend", "subset": "canary"}}]
    rules = [{"name": "assets-canary", "route": assets}, {"name": "draw", "route": drawn}]
    return held(
        "VirtualService", NETWORKING, "app-frontend-gateway",
        metadata={"annotations": {"serinus/epoch": str(epoch)}}, spec={"http": rules},
    )  # fmt: skip


def test_the_epoch_never_falls() -> None:
    off = {"canary": {"enabled": False, "routed": False}}
    message = refused(routes(5), values={"rollout": {"epoch": 4} | off})
    assert "rollout.epoch: 4 is below 5, the one in force" in message
    install(routes(5), values={"rollout": {"epoch": 5} | off})


def test_another_unit_key_begins_a_new_epoch() -> None:
    """Each visitor would be two otherwise, one under each key."""
    data = {"unit-key": base64.b64encode(b"kept-unit-key-0000001").decode()}
    live = [held("Secret", "v1", "serinus-keys", data=data), routes(5)]
    off = {"canary": {"enabled": False, "routed": False}}

    def values(epoch: int, key: str) -> Any:
        return {"rollout": {"epoch": epoch} | off, "secrets": {"unitKey": key}}

    message = refused(*live, values=values(5, "given-unit-key-000001"))
    assert "secrets.unitKey: the visitors of epoch 5 were counted under another key" in message
    assert "rollout.epoch=6" in message
    assert "kept-unit" not in message
    install(*live, values=values(6, "given-unit-key-000001"))
    install(*live, values=values(5, "kept-unit-key-0000001"))


def canaries(*apps: str, ready: int = 1) -> list[Any]:
    """Deployments of the canary; an API server leaves a status of 0 out."""
    status = {"readyReplicas": ready} if ready else {"unavailableReplicas": 2}
    return [held("Deployment", "apps/v1", f"{app}-canary", status=status) for app in apps]


def test_a_canary_is_routed_to_only_when_it_runs() -> None:
    live = routes(1, "stable")
    message = refused(live, *canaries("app-frontend", "app-service"))
    assert "rollout.canary.routed: model-service-canary does not run yet" in message
    sick = canaries("app-service", ready=0)
    message = refused(live, *canaries("app-frontend", "model-service"), *sick)
    assert "rollout.canary.routed: app-service-canary has no ready pod" in message
    install(live, *canaries(*APPS))
    install(live, values={"rollout": {"canary": {"routed": False}}})


def test_a_sick_canary_that_is_routed_blocks_no_upgrade() -> None:
    live = routes(1, "stable", "canary")
    install(live, *canaries(*APPS, ready=0))
    install(live)


def test_an_ambient_namespace_is_refused() -> None:
    labels = {"istio.io/dataplane-mode": "ambient"}
    namespace = held("Namespace", "v1", NAMESPACE, metadata={"labels": labels})
    del namespace["metadata"]["namespace"]
    assert "Istio's ambient mode, which knows no source labels" in refused(namespace)


def test_sqlite_is_refused_on_a_cluster_even_when_allowed() -> None:
    store = {"postgresql": {"enabled": False}, "sqlite": {"allow": True}}
    message = refused(values={"store": store})
    assert "SQLite can't be shared by pods on several nodes; this is a cluster" in message


def running(replicas: int, *fields: Any) -> list[Any]:
    """Deployments of every app and track, as an autoscaler may have left them."""
    found: dict[str, Any] = {
        "metadata": {"managedFields": list(fields)},
        "spec": {"replicas": replicas},
    }
    return [
        held("Deployment", "apps/v1", f"{app}-{track}", **found)
        for app in APPS
        for track in ("stable", "canary")
    ]


SCALED = {"workloads": {"app-frontend": {"autoscaling": {"enabled": True, "minReplicas": 3}}}}
SCALER = wrote("kube-controller-manager", "Update", "replicas", subresource="scale")
STATUS = wrote("kube-controller-manager", "Update", subresource="status")


def test_an_autoscaled_track_begins_with_the_fewest_pods() -> None:
    """Without a number it would begin with one, and go up only when the autoscaler looks."""
    index = install(values=SCALED)
    for track in ("stable", "canary"):
        assert one(index, "Deployment", f"app-frontend-{track}").spec["replicas"] == 3
        assert one(index, "Deployment", f"app-service-{track}").spec["replicas"] == 2


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (wrote("helm", "Apply", "replicas", "selector"), STATUS),
        (wrote("helm", "Update", "replicas", "selector"), STATUS),
        # Helm 3 would go by its former revision and set the field to 1.
        (wrote("helm", "Update", "selector"), SCALER),
        (wrote("kubectl-client-side-apply", "Update", "selector"), SCALER),
    ],
)
def test_autoscaling_takes_over_as_many_pods_as_run(fields: Any) -> None:
    """A field that Helm leaves out where it had sent it becomes 1."""
    index = install(*running(5, *fields), values=SCALED)
    for track in ("stable", "canary"):
        assert one(index, "Deployment", f"app-frontend-{track}").spec["replicas"] == 5
        assert one(index, "Deployment", f"app-service-{track}").spec["replicas"] == 2


@pytest.mark.parametrize(
    "helm", [wrote("helm", "Apply", "selector"), wrote("helm", "Apply", "replicas", "selector")]
)
def test_a_number_that_is_the_autoscalers_is_left_to_it(helm: Any) -> None:
    """A revision with a number in it would bring that one back by `helm rollback`."""
    index = install(*running(5, helm, SCALER, STATUS), values=SCALED)
    for track in ("stable", "canary"):
        assert "replicas" not in one(index, "Deployment", f"app-frontend-{track}").spec
        assert one(index, "Deployment", f"app-service-{track}").spec["replicas"] == 2
