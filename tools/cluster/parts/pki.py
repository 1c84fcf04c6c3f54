"""Certificates and kubeconfigs of the cluster, made with openssl once per home.

Enters: nothing. Leaves: files in PKI, good for ten years. Called by `cluster.up`.
"""

import base64
import json

from parts.settings import API_IP, CONTEXT, INGRESS_PORT, NODE, NODE_IP, PKI, VALUES
from parts.shell import run

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_USERS = {
    "admin": "/O=system:masters/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
}
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc",
              "kubernetes.default.svc.cluster.local", "localhost")  # fmt: skip


def make() -> None:
    """Make what is missing."""
    if (PKI / "admin.conf").exists():
        return
    PKI.mkdir(parents=True, exist_ok=True)
    _openssl("req", "-x509", *_KEY, "-days", 3650, "-keyout", "ca.key", "-out", "ca.crt",
             "-subj", "/CN=serinus-cluster")  # fmt: skip
    _openssl("genrsa", "-out", "sa.key", 2048)
    _openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    names = [f"DNS:{name}" for name in _API_NAMES]
    names += [f"IP:{address}" for address in ("127.0.0.1", API_IP, NODE_IP)]
    _certificate("apiserver", "/CN=kube-apiserver", ",".join(names))
    for user, subject in _USERS.items():
        _certificate(user, subject)
        (PKI / f"{user}.conf").write_text(kubeconfig(user, "https://127.0.0.1:6443"))


def kubeconfig(user: str, server: str) -> str:
    """A kubeconfig for `user` that reaches the API server at `server`."""

    def data(file: str) -> str:
        return base64.b64encode((PKI / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": data("ca.crt")}
    keys = {
        "client-certificate-data": data(f"{user}.crt"),
        "client-key-data": data(f"{user}.key"),
    }
    # What `serinus` needs to know of this cluster: docs/deploy.md.
    extension = {"values": str(VALUES), "gateway": f"127.0.0.1:{INGRESS_PORT}"}
    context = {
        "cluster": CONTEXT, "user": CONTEXT, "namespace": "serinus",
        "extensions": [{"name": "serinus", "extension": extension}],
    }  # fmt: skip
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": keys}],
        "contexts": [{"name": CONTEXT, "context": context}],
    }
    return json.dumps(config)


def _openssl(*words: object) -> None:
    run("openssl", *words, cwd=PKI)


def _certificate(name: str, subject: str, names: str = "") -> None:
    _openssl("req", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    extension = "extendedKeyUsage=serverAuth,clientAuth\n"
    extension += f"subjectAltName={names}\n" if names else ""
    (PKI / f"{name}.ext").write_text(extension)
    _openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", 3650, "-out", f"{name}.crt",
             "-extfile", f"{name}.ext")  # fmt: skip
