"""What runs on the node: each component's command line and configuration files.

Enters: the settings. Leaves: commands by name, and files in STATE. Called by `node`.
"""

import json
import shutil

from parts.settings import (
    BIN,
    CONTAINERD_SOCKET,
    DNS_IP,
    LOGS,
    NODE,
    NODE_IP,
    PKI,
    PODS,
    SERVICES,
    STATE,
)

_CONTAINERD = f"""version = 2
root = "{STATE}/containerd"
state = "/run/serinus-cluster/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "serinus.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{STATE}/cni-bin"
    conf_dir = "{STATE}/cni"
"""
_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
    "clusterDNS": [DNS_IP],
    "clusterDomain": "cluster.local",
    "resolvConf": f"{STATE}/resolv.conf",
    "podLogsDir": f"{LOGS}/pods",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": f"{PKI}/ca.crt"},
    },
    "authorization": {"mode": "Webhook"},
    # A shared machine's disk is often fuller than a node's may be.
    "imageGCHighThresholdPercent": 100,
    "evictionHard": {
        "nodefs.available": "1%",
        "imagefs.available": "1%",
        "memory.available": "200Mi",
    },
    "enforceNodeAllocatable": [],
    "syncFrequency": "10s",
    "oomScoreAdj": 0,
    "serializeImagePulls": False,
    "registerNode": True,
}
_KUBE_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clientConnection": {"kubeconfig": f"{PKI}/proxy.conf"},
    "clusterCIDR": PODS,
    "hostnameOverride": NODE,
    "oomScoreAdj": 0,
    "conntrack": {
        "maxPerCore": 0,
        "min": 0,
        "tcpEstablishedTimeout": "0s",
        "tcpCloseWaitTimeout": "0s",
    },
    "iptables": {"minSyncPeriod": "0s", "syncPeriod": "10s"},
    "nodePortAddresses": [],
}
_CNI = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(STATE / "ipam"),
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "loopback"},
    ],
}


def write_configuration() -> None:
    """The files that the commands name. JSON is YAML, so the kubelet reads it."""
    shutil.rmtree(STATE / "cni", ignore_errors=True)
    (STATE / "cni").mkdir(parents=True)
    (STATE / "cni/10-bridge.conflist").write_text(json.dumps(_CNI))
    shutil.copytree("/usr/lib/cni", STATE / "cni-bin", dirs_exist_ok=True)
    (STATE / "containerd.toml").write_text(_CONTAINERD)
    (STATE / "resolv.conf").write_text("search .\n")
    (STATE / "kubelet.yaml").write_text(json.dumps(_KUBELET))
    (STATE / "kube-proxy.yaml").write_text(json.dumps(_KUBE_PROXY))


def commands() -> dict[str, list[str]]:
    """Each component's command, in starting order."""
    manager, scheduler = PKI / "controller-manager.conf", PKI / "scheduler.conf"
    return {
        "etcd": [
            f"{BIN}/etcd",
            f"--data-dir={STATE}/etcd",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
        ],
        "containerd": ["containerd", f"--config={STATE}/containerd.toml"],
        "kube-apiserver": [
            f"{BIN}/kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={NODE_IP}",
            "--secure-port=6443",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--enable-admission-plugins=NodeRestriction,PodSecurity",
            f"--client-ca-file={PKI}/ca.crt",
            f"--tls-cert-file={PKI}/apiserver.crt",
            f"--tls-private-key-file={PKI}/apiserver.key",
            f"--kubelet-client-certificate={PKI}/admin.crt",
            f"--kubelet-client-key={PKI}/admin.key",
            f"--service-account-key-file={PKI}/sa.pub",
            f"--service-account-signing-key-file={PKI}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={PKI}/ca.crt",
            "--requestheader-allowed-names=admin",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={PKI}/admin.crt",
            f"--proxy-client-key-file={PKI}/admin.key",
            "--enable-aggregator-routing=true",
        ],
        "kube-controller-manager": [
            f"{BIN}/kube-controller-manager",
            f"--kubeconfig={manager}",
            f"--authentication-kubeconfig={manager}",
            f"--authorization-kubeconfig={manager}",
            f"--service-account-private-key-file={PKI}/sa.key",
            f"--root-ca-file={PKI}/ca.crt",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            f"--cluster-signing-cert-file={PKI}/ca.crt",
            f"--cluster-signing-key-file={PKI}/ca.key",
            "--horizontal-pod-autoscaler-sync-period=5s",
        ],
        "kube-scheduler": [
            f"{BIN}/kube-scheduler",
            f"--kubeconfig={scheduler}",
            f"--authentication-kubeconfig={scheduler}",
            f"--authorization-kubeconfig={scheduler}",
            "--leader-elect=false",
        ],
        "kube-proxy": [f"{BIN}/kube-proxy", f"--config={STATE}/kube-proxy.yaml"],
        "kubelet": [
            f"{BIN}/kubelet",
            f"--config={STATE}/kubelet.yaml",
            f"--kubeconfig={PKI}/kubelet.conf",
            f"--hostname-override={NODE}",
            f"--node-ip={NODE_IP}",
            f"--root-dir={STATE}/kubelet",
            f"--cert-dir={STATE}/kubelet/pki",
        ],
    }
