"""Short ways to write objects for the mesh's tests."""

from __future__ import annotations

from textwrap import dedent

from serinus.manifests import Index
from serinus.mesh import istio
from serinus.mesh.topology import Topology

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""
TRACKS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets: [{name: stable, labels: {version: stable}}, {name: canary, labels: {version: canary}}]
"""


def read(*texts: str, namespace: str = "demo") -> Topology:
    return istio.read(Index.parse("\n---\n".join(dedent(text) for text in texts)), namespace)


def rules(http: str, hosts: str = "[web.test]", gateways: str = "[gateway]") -> str:
    """A VirtualService; `http` is a YAML flow sequence."""
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec: {{hosts: {hosts}, gateways: {gateways}, http: {http}}}
"""


def web(http: str, hosts: str = "[web.test]", gateways: str = "[gateway]") -> Topology:
    return read(GATEWAY, SERVICE, TRACKS, rules(http, hosts, gateways))
