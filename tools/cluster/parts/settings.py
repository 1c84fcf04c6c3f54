"""Where the test cluster lives and which addresses it has.

Enters: the environment variables SERINUS_CLUSTER_HOME, _API_PORT and _INGRESS_PORT. Leaves:
constants. Used by every other part.
"""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
MODULES = HERE / "modules"
MANIFESTS = HERE / "manifests"
VALUES = HERE.parents[1] / "tests/cluster/values.yaml"
"""Values of the application's chart that fit this cluster."""

HOME = Path(os.environ.get("SERINUS_CLUSTER_HOME", "/var/lib/serinus-cluster"))
BIN, IMAGES, STATE, LOGS = HOME / "bin", HOME / "images", HOME / "state", HOME / "log"
PKI = STATE / "pki"
KUBECONFIG = HOME / "kubeconfig"
CONTEXT = "serinus-cluster"
CONTAINERD_SOCKET = "/run/serinus-cluster/containerd.sock"

API_PORT = int(os.environ.get("SERINUS_CLUSTER_API_PORT", "16443"))
INGRESS_PORT = int(os.environ.get("SERINUS_CLUSTER_INGRESS_PORT", "18080"))
"""Both on 127.0.0.1, where relays listen; nothing else listens outside the node."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What the kernel calls them, and what images and Go do; the second was never tried."""
NODE, NODE_IP = "node1", "10.203.0.10"
VISITORS = ("10.203.0.21", "10.203.0.22", "10.203.0.23")
"""A second host on the node's network with three addresses."""
SERVICES, PODS, DNS_IP, API_IP = "10.96.0.0/16", "10.244.0.0/24", "10.96.0.10", "10.96.0.1"
INGRESS_NODE_PORT = 30080
REGISTRY = "serinus.test"
"""The name that images carry; no such registry exists, and none is asked."""
