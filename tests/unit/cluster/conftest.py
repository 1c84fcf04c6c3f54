"""A recorded API server: what each path answers."""

import base64
import gzip
import json

import httpx2
import pytest
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context

from serinus.clients.kubernetes import Kubernetes


class Server:
    """Answers by path; a path without an answer is 404. `asked` keeps what came in.

    The namespace is there, and everything is allowed but pairs of verb and resource in `forbidden`.
    """

    def __init__(self):
        self.answers = {"/api/v1/namespaces/shop": {"metadata": {"name": "shop"}}}
        self.asked = []
        self.forbidden = set()

    def __call__(self, request):
        path = request.url.path
        self.asked.append((request.method, str(request.url.raw_path, "ascii")))
        if path.endswith("/selfsubjectaccessreviews"):
            wanted = json.loads(request.content)["spec"]["resourceAttributes"]
            verb, resource = wanted["verb"], wanted["resource"]
            # Who lacks anything is no administrator.
            allowed = not self.forbidden if verb == "*" else (verb, resource) not in self.forbidden
            return httpx2.Response(
                201, json={"spec": {}, "status": {"allowed": allowed}, "metadata": {}}
            )
        answer = self.answers.get(path)
        if isinstance(answer, list) and answer and isinstance(answer[0], httpx2.Response | dict):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer is None:
            status = {"kind": "Status", "message": f"{path} not found", "code": 404}
            return httpx2.Response(404, json=status)
        if isinstance(answer, httpx2.Response):
            return answer
        if isinstance(answer, str):
            return httpx2.Response(200, text=answer)
        return httpx2.Response(200, json=answer)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def cluster(server):
    return connected(server)


def connected(server):
    """The namespace `shop` of a recorded API server."""
    # Without verification: certificates of the system are slow to read, and nothing is encrypted.
    about = Cluster(server="http://127.0.0.1:1", insecure=True)
    config = SingleConfig("recorded", Context(cluster="c"), about)
    return Kubernetes(config, "shop", transport=httpx2.MockTransport(server))


def deployment(name, *, wanted=2, updated=2, available=2, there=2, conditions=(), app=True):
    app_name, _, track = name.rpartition("-")
    labels = {"app": app_name, "version": track} if app else {}
    return {
        "metadata": {"name": name, "generation": 3, "labels": labels},
        "spec": {
            "replicas": wanted,
            "selector": {},
            "template": {"metadata": {}, "spec": {"containers": []}},
        },
        "status": {
            "observedGeneration": 3,
            "replicas": there,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "conditions": list(conditions),
        },
    }


def pod(name, *, state, ready=False, restarts=0, last=None, conditions=(), app="app-service"):
    return {
        "metadata": {"name": name, "labels": {"app": app, "version": "canary"}},
        "spec": {"containers": [{"name": "app"}]},
        "status": {
            "phase": "Running",
            "conditions": list(conditions),
            "containerStatuses": [
                {
                    "name": "app",
                    "ready": ready,
                    "restartCount": restarts,
                    "image": "i",
                    "imageID": "i",
                    "state": state,
                    "lastState": last or {},
                }
            ],
        },
    }


def release(number, values, *, status="deployed", labels=None, chart=None, **more):
    """The Secret in which Helm keeps a revision."""
    kept = {
        "version": number,
        "config": values,
        "manifest": more.get("manifest", ""),
        "info": {
            "status": status,
            "last_deployed": "2026-01-01T00:00:00Z",
            "description": more.get("description", ""),
        },
        "chart": chart or {"metadata": {"name": "serinus", "version": "0.1.0"}},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(kept).encode()))
    return {
        "metadata": {"name": f"sh.helm.release.v1.serinus.v{number}", "labels": labels or {}},
        "data": {"release": base64.b64encode(packed).decode()},
    }
