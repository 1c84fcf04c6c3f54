"""Fetch the schemas of the kinds that the chart renders, and trim them.

    .venv/bin/python tests/schemas/refresh.py        needs Go, for `go mod download`

Enters: three public Go modules, pinned below. Leaves: kubernetes.json, istio.json and
monitoring.json beside this file: JSON schemas by `<apiVersion>/<kind>`, without descriptions,
closed for unknown fields as the API server is with strict field validation.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
KUBERNETES = "k8s.io/kubernetes@v1.34.4"
ISTIO = "istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
KUBERNETES_KINDS = {
    "v1": ["ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Pod", "Secret", "Service",
           "ServiceAccount"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}  # fmt: skip
ISTIO_KINDS = {
    "networking.istio.io/v1": ["DestinationRule", "Gateway", "VirtualService"],
    "networking.istio.io/v1alpha3": ["EnvoyFilter"],
    "security.istio.io/v1": ["AuthorizationPolicy", "PeerAuthentication"],
    "telemetry.istio.io/v1": ["Telemetry"],
}
OPERATOR_KINDS = {
    "monitoring.coreos.com/v1": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
    "monitoring.coreos.com/v1alpha1": ["AlertmanagerConfig"],
}
# Volumes that a chart like ours never uses; they are a third of the Kubernetes schema.
VOLUMES = {"configMap", "emptyDir", "hostPath", "name", "persistentVolumeClaim", "projected",
           "secret", "downwardAPI"}  # fmt: skip
PERSISTENT = {"accessModes", "capacity", "claimRef", "hostPath", "local", "mountOptions", "nfs",
              "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
              "volumeMode"}  # fmt: skip
INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
QUANTITY = {"anyOf": [{"type": "number"}, {"type": "string"}]}
KEPT = {"type", "enum", "required", "pattern", "minimum", "maximum", "minLength", "maxLength",
        "minItems", "maxItems", "oneOf", "anyOf", "allOf", "not", "$ref"}  # fmt: skip


def module(name: str) -> Path:
    """Folder of a downloaded module."""
    environment = os.environ | {"GOFLAGS": "-mod=mod"}
    answer = subprocess.run(
        ["go", "mod", "download", "-json", name],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return Path(json.loads(answer.stdout)["Dir"])


def trim(node: Any) -> Any:
    """Keep what validates, and refuse fields that the schema doesn't name."""
    if isinstance(node, list):
        return [trim(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
        return INT_OR_STRING
    trimmed = {key: trim(value) for key, value in node.items() if key in KEPT}
    if "$ref" in trimmed:
        return {"$ref": "#/$defs/" + node["$ref"].rsplit("/", 1)[-1]}
    if "properties" in node:
        trimmed["properties"] = {key: trim(value) for key, value in node["properties"].items()}
        if "type" in node and not node.get("x-kubernetes-preserve-unknown-fields"):
            trimmed["additionalProperties"] = False
    if isinstance(node.get("additionalProperties"), dict):
        trimmed["additionalProperties"] = trim(node["additionalProperties"])
    if "items" in node:
        trimmed["items"] = trim(node["items"])
    return trimmed


def kubernetes() -> dict[str, Any]:
    """Schemas of built-in kinds, sharing their definitions."""
    swagger = json.loads((module(KUBERNETES) / "api/openapi-spec/swagger.json").read_text())
    definitions = swagger["definitions"]
    found: dict[str, str] = {}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            version = f"{kind['group']}/{kind['version']}".strip("/")
            if kind["kind"] in KUBERNETES_KINDS.get(version, ()):
                found[f"{version}/{kind['kind']}"] = name
    shared: dict[str, Any] = {}
    open_ = list(found.values())
    while open_:
        name = open_.pop()
        if name in shared:
            continue
        definition = definitions[name]
        for ending, kept in ((".v1.Volume", VOLUMES), (".v1.PersistentVolumeSpec", PERSISTENT)):
            if name.endswith(ending):
                definition["properties"] = {
                    key: value for key, value in definition["properties"].items() if key in kept
                }
        shared[name] = QUANTITY if name.endswith("resource.Quantity") else trim(definition)
        open_.extend(references(shared[name]))
    short = {name: name.removeprefix("io.k8s.").replace("api.", "", 1) for name in shared}
    text = json.dumps({"$defs": shared, "kinds": found})
    for name in sorted(shared, key=len, reverse=True):
        text = text.replace(f'"{name}"', f'"{short[name]}"')
        text = text.replace(f'"#/$defs/{name}"', f'"#/$defs/{short[name]}"')
    document = json.loads(text)
    document["kinds"] = {
        kind: {"$ref": f"#/$defs/{name}"} for kind, name in document["kinds"].items()
    }
    return document


def references(node: Any) -> list[str]:
    """Names of the definitions that a schema uses."""
    if isinstance(node, dict):
        own = [node["$ref"].rsplit("/", 1)[-1]] if isinstance(node.get("$ref"), str) else []
        return own + [name for value in node.values() for name in references(value)]
    if isinstance(node, list):
        return [name for value in node for name in references(value)]
    return []


def custom(resources: list[dict[str, Any]], wanted: dict[str, list[str]]) -> dict[str, Any]:
    """Schemas of custom resources."""
    kinds = {}
    for resource in resources:
        spec = resource["spec"]
        for version in spec["versions"]:
            name = f"{spec['group']}/{version['name']}"
            if spec["names"]["kind"] in wanted.get(name, ()):
                schema = trim(version["schema"]["openAPIV3Schema"])
                schema["properties"] |= {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                }
                kinds[f"{name}/{spec['names']['kind']}"] = schema
    return {"$defs": {}, "kinds": kinds}


def write(name: str, origin: str, document: dict[str, Any]) -> None:
    """One definition per line, so that a refresh shows what changed."""
    lines = [f'"origin": {json.dumps(origin)}', '"licence": "Apache-2.0"']
    for part in ("$defs", "kinds"):
        entries = ",\n".join(
            f" {json.dumps(key)}: {json.dumps(value, sort_keys=True, separators=(',', ':'))}"
            for key, value in sorted(document[part].items())
        )
        lines.append(f'"{part}": {{\n{entries}\n}}')
    (HERE / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """Write all three files."""
    write("kubernetes.json", KUBERNETES, kubernetes())
    crds = module(ISTIO) / "manifests/charts/base/files/crd-all.gen.yaml"
    istio = [item for item in yaml.safe_load_all(crds.read_text()) if item]
    write("istio.json", ISTIO, custom(istio, ISTIO_KINDS))
    folder = module(OPERATOR) / "jsonnet/prometheus-operator"
    operator = [json.loads(path.read_text()) for path in sorted(folder.glob("*-crd.json"))]
    write("monitoring.json", OPERATOR, custom(operator, OPERATOR_KINDS))


if __name__ == "__main__":
    main()
