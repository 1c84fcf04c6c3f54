"""What a cluster needs beside its components: storage, DNS, Istio, monitoring, metrics.

Enters: a running API server. Leaves: installed and ready add-ons. Called by `cluster.up`.
"""

import json
from pathlib import Path

import helm_python

from parts.process import wait_for
from parts.programs import module_directory
from parts.settings import INGRESS_NODE_PORT, KUBECONFIG, MANIFESTS, REGISTRY, STATE
from parts.shell import kubectl, kubectl_says

_STATISTICS = {
    "inclusionRegexps": [r"cluster\.outbound.*\.upstream_rq_.*", r".*http_local_rate_limit.*"]
}
"""Of Envoy's own statistics those that the chart's PodMonitor reads; by default there are none."""
_SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}}
_IMAGES = {"hub": REGISTRY, "tag": "dev"}
VOLUMES = 64
"""Made once at the start; one whose claim was deleted isn't used again."""
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def install_base() -> None:
    """The storage class with its host-path volumes, and CoreDNS."""
    volumes = []
    for number in range(VOLUMES):
        path = STATE / "volumes" / f"pv{number}"
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
        spec = {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "standard",
            "hostPath": {"path": str(path)},
        }
        volumes.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"pv{number}"},
                "spec": spec,
            }
        )
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {_DEFAULT_CLASS: "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    objects = {"apiVersion": "v1", "kind": "List", "items": [storage, *volumes]}
    kubectl("apply", "-f", "-", data=json.dumps(objects))
    kubectl("apply", "-f", MANIFESTS / "coredns.yaml")


def install() -> None:
    """Istio with its gateway, the Prometheus operator with both servers, metrics-server."""
    istio = module_directory("istio", "istio.io/istio") / "manifests/charts"
    istiod = json.loads((MANIFESTS / "istiod.json").read_text())
    _helm("istio-base", "istio-system", istio / "base", {"defaultRevision": "default"})
    _helm("istiod", "istio-system", istio / "istio-control/istio-discovery", istiod)
    operator = module_directory("operator", "github.com/prometheus-operator/prometheus-operator")
    definitions = operator / "example/prometheus-operator-crd"
    kubectl("apply", "--server-side", "-f", definitions)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", definitions)
    kubectl("apply", "--server-side", "-f", MANIFESTS / "monitoring.yaml")
    kubectl("apply", "--server-side", "-f", MANIFESTS / "metrics.yaml")
    cni = {
        "cniBinDir": str(STATE / "cni-bin"),
        "cniConfDir": str(STATE / "cni"),
        **_IMAGES,
        "pullPolicy": "IfNotPresent",
        "resources": _SMALL,
        "global": _IMAGES,
    }
    _helm("istio-cni", "kube-system", istio / "istio-cni", cni)
    _ready("deployment/istiod", 180)
    http = {
        "name": "http2",
        "port": 80,
        "targetPort": 80,
        "nodePort": INGRESS_NODE_PORT,
        "protocol": "TCP",
    }
    # For pods and `kubectl port-forward`: no relay leads to it.
    https = {"name": "https", "port": 443, "targetPort": 443, "protocol": "TCP"}
    # Local keeps the client's address, which limits per address need.
    service = {"type": "NodePort", "externalTrafficPolicy": "Local", "ports": [http, https]}
    gateway = {
        "service": service,
        "autoscaling": {"enabled": False},
        "imagePullPolicy": "IfNotPresent",
        "resources": _SMALL,
        "labels": {"istio": "ingressgateway"},
        "podAnnotations": {"proxy.istio.io/config": json.dumps({"proxyStatsMatcher": _STATISTICS})},
    }
    _helm("istio-ingressgateway", "istio-system", istio / "gateway", gateway)
    _ready("deployment/istio-ingressgateway", 120)
    _everything_ready()


def _everything_ready() -> None:
    """Of what `install` and `install_base` made, all that nothing waited for yet."""
    _ready("deployment/coredns", 120, "kube-system")
    _ready("daemonset/istio-cni-node", 120, "kube-system", "{.status.numberReady}")
    _ready("deployment/prometheus-operator", 120, "monitoring")
    _ready("statefulset/prometheus-main", 180, "monitoring")
    _ready("statefulset/alertmanager-main", 180, "monitoring")
    available = '{.status.conditions[?(@.type=="Available")].status}'
    _ready("apiservice/v1beta1.metrics.k8s.io", 120, "kube-system", available, "True")


def _ready(
    name: str,
    seconds: float,
    namespace: str = "istio-system",
    path: str = "{.status.readyReplicas}",
    wanted: str = "1",
) -> None:
    words = ("-n", namespace, "get", name, "-o", f"jsonpath={path}")
    wait_for(name, lambda: kubectl_says(*words).strip() == wanted, seconds)


def _helm(release: str, namespace: str, chart: Path, values: dict[str, object]) -> None:
    """helm upgrade --install, through Helm's own engine."""
    client = helm_python.Config(kubeconfig_path=str(KUBECONFIG), namespace=namespace)
    if any(item["name"] == release for item in client.list()):
        client.upgrade(str(chart), release, values, namespace=namespace)
    else:
        client.install(str(chart), release, values, namespace=namespace, create_namespace=True)
