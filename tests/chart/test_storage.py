"""Claims, volumes, the event store and the secrets."""

from __future__ import annotations

import base64
from typing import Any

from serinus.manifests import Index, Object
from tests.chart.support import one, pod_specs, render, scenario

KEEP = {"helm.sh/resource-policy": "keep"}


def text(secret: Object, key: str) -> str:
    return base64.b64decode(secret.raw["data"][key]).decode()


def volumes(index: Index, deployment: str) -> dict[str, Any]:
    pod = one(index, "Deployment", deployment).spec["template"]["spec"]
    return {volume["name"]: volume for volume in pod["volumes"]}


def test_given_keys_are_in_a_secret_that_stays() -> None:
    secret = one(scenario("default-cluster"), "Secret", "serinus-keys")
    assert text(secret, "session-key") == "ci-session-key-0001"
    assert text(secret, "unit-key") == "ci-unit-key-000000001"
    assert secret.annotations == KEEP


def test_the_database_s_address_holds_the_same_password() -> None:
    secret = one(scenario("default-cluster"), "Secret", "postgresql")
    password = text(secret, "password")
    assert (
        text(secret, "database-url") == f"postgresql://serinus:{password}@postgresql:5432/serinus"
    )
    assert secret.annotations == KEEP


def test_the_application_is_no_superuser_of_its_database() -> None:
    index = scenario("default-cluster")
    script = one(index, "ConfigMap", "postgresql").raw["data"]["serinus.sql"]
    assert "CREATE DATABASE serinus OWNER serinus" in script
    assert "ALTER ROLE postgres PASSWORD NULL" in script
    pod = one(index, "StatefulSet", "postgresql").spec["template"]["spec"]
    (container,) = pod["containers"]
    assert "POSTGRES_USER" not in {entry["name"] for entry in container["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["init"] == "/docker-entrypoint-initdb.d"
    assert {"name": "init", "configMap": {"name": "postgresql"}} in pod["volumes"]


def test_an_external_database_may_have_an_authority_of_its_own() -> None:
    store = {
        "postgresql": {"enabled": False},
        "databaseUrl": {"existingSecret": "mine", "caKey": "rds.pem"},
    }
    index = render({"store": store})
    assert volumes(index, "app-service-stable")["database-ca"]["secret"] == {
        "secretName": "mine", "items": [{"key": "rds.pem", "path": "ca.crt"}],
    }  # fmt: skip
    pod = one(index, "Deployment", "app-service-stable").spec["template"]["spec"]
    (container,) = pod["containers"]
    assert {"name": "PGSSLROOTCERT", "value": "/database/ca.crt"} in container["env"]
    assert {"name": "database-ca", "mountPath": "/database", "readOnly": True} in container[
        "volumeMounts"
    ]
    assert "database-ca" not in volumes(index, "app-frontend-stable")


def test_existing_secrets_replace_the_chart_s() -> None:
    index = scenario("existing-secrets-and-claims")
    assert index.of("Secret") == ()
    assert index.of("PersistentVolumeClaim") == ()
    assert volumes(index, "model-service-stable")["model-cache"] == {
        "name": "model-cache", "persistentVolumeClaim": {"claimName": "cache"},
    }  # fmt: skip
    pod = one(index, "StatefulSet", "postgresql").spec["template"]["spec"]
    found = {volume["name"]: volume for volume in pod["volumes"]}
    assert found["secrets"]["secret"]["secretName"] == "database"
    assert found["data"]["persistentVolumeClaim"]["claimName"] == "database"
    assert "volumeClaimTemplates" not in one(index, "StatefulSet", "postgresql").spec


def test_no_secret_is_anywhere_but_in_secrets() -> None:
    index = render()
    for item in index:
        if item.kind != "Secret":
            shown = str(item.raw)
            for value in ("s" * 20, "u" * 20, "p" * 20):
                assert value not in shown, str(item)
                assert base64.b64encode(value.encode()).decode() not in shown, str(item)


def test_both_tracks_share_one_model_cache() -> None:
    index = scenario("local-run")
    claim = {"name": "model-cache", "persistentVolumeClaim": {"claimName": "model-cache"}}
    for track in ("stable", "canary"):
        assert volumes(index, f"model-service-{track}")["model-cache"] == claim
    spec = one(index, "PersistentVolumeClaim", "model-cache")
    assert spec.spec["accessModes"] == ["ReadWriteMany"]
    assert spec.annotations == KEEP


def test_without_a_claim_each_pod_has_its_own_cache() -> None:
    index = scenario("default-cluster")
    assert volumes(index, "model-service-stable")["model-cache"]["emptyDir"] == {"sizeLimit": "1Gi"}
    assert index.of("PersistentVolumeClaim") == ()


def test_a_volume_of_the_chart_binds_its_claim() -> None:
    index = scenario("volumes")
    claim = one(index, "PersistentVolumeClaim", "model-cache").spec
    volume = one(index, "PersistentVolume", claim["volumeName"]).spec
    assert volume["claimRef"] == {"namespace": "demo", "name": "model-cache"}
    assert volume["storageClassName"] == claim["storageClassName"] == ""
    assert volume["capacity"]["storage"] == claim["resources"]["requests"]["storage"]
    assert volume["hostPath"]["path"] == "/data/model-cache"
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"


def test_storage_classes_are_named_defaulted_or_none() -> None:
    def spec(name: str) -> Any:
        index = render({"model": {"cache": {"type": "claim", "storageClassName": name}}})
        return one(index, "PersistentVolumeClaim", "model-cache").spec

    assert "storageClassName" not in spec("")
    assert spec("-")["storageClassName"] == ""
    assert spec("fast")["storageClassName"] == "fast"
    (template,) = one(scenario("volumes"), "StatefulSet", "postgresql").spec["volumeClaimTemplates"]
    assert template["spec"]["storageClassName"] == "fast"


def test_a_registry_s_claim_is_mounted_read_only() -> None:
    index = scenario("existing-secrets-and-claims")
    pod = one(index, "Deployment", "model-service-canary").spec["template"]["spec"]
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["model-registry"] == {
        "name": "model-registry", "mountPath": "/registry", "readOnly": True,
    }  # fmt: skip


def test_sqlite_lies_on_a_claim_of_app_service() -> None:
    index = scenario("local-run")
    pod = one(index, "Deployment", "app-service-canary").spec["template"]["spec"]
    env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert env["SERINUS_DATA_DIR"] == mounts["event-store"] == "/data"
    assert "DATABASE_URL" not in env
    assert one(index, "PersistentVolumeClaim", "event-store").annotations == KEEP
    assert index.get("StatefulSet", "postgresql") is None


def test_an_external_database_comes_from_its_secret() -> None:
    index = scenario("postgresql-external")
    pod = one(index, "Deployment", "app-service-stable").spec["template"]["spec"]
    env = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
    reference = {"secretKeyRef": {"name": "database", "key": "url"}}
    assert env["DATABASE_URL"]["valueFrom"] == reference
    for kind in ("StatefulSet", "Service", "ServiceAccount", "AuthorizationPolicy"):
        assert index.get(kind, "postgresql") is None


def test_the_database_reads_its_password_from_a_file() -> None:
    owner, pod, _ = next(
        entry for entry in pod_specs(scenario("default-cluster")) if entry[0].kind == "StatefulSet"
    )
    env = {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}
    assert env["POSTGRES_PASSWORD_FILE"] == "/secrets/password"
    assert "POSTGRES_PASSWORD" not in env
    retention = owner.spec["persistentVolumeClaimRetentionPolicy"]
    assert retention == {"whenDeleted": "Retain", "whenScaled": "Retain"}
