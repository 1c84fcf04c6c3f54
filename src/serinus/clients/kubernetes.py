"""A Kubernetes API server: what runs there, why something doesn't, what is allowed.

Enters: KUBECONFIG, a context, a namespace. Leaves: typed workloads and pods, plain mappings for
everything else, or `ClusterError`. Only reads, apart from asking what is allowed; the Helm engine
alone writes. Called by `serinus.cluster` and `serinus.cli`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

import httpx2
import lightkube
import msgspec
from lightkube import ApiError
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError
from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.resources.apps_v1 import Deployment, StatefulSet
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.core_v1 import Pod

from serinus.clients import kubeconfig
from serinus.errors import ClusterError, UnreachableError

_PLUGIN: Final = "client.authentication.k8s.io"
TIMEOUT: Final = 20.0
"""Seconds that one answer may take."""


class Kubernetes:
    """One namespace of one cluster, as one context of KUBECONFIG sees it."""

    def __init__(
        self,
        config: SingleConfig,
        namespace: str | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        config = config._replace(user=_user(config.user))
        self.context = config.context_name
        self.namespace = namespace or config.namespace
        self.server = config.cluster.server
        self.extension = kubeconfig.Extension()
        self._plugin = config.user.exec.command if config.user and config.user.exec else ""
        timeout = httpx2.Timeout(TIMEOUT)
        self._typed = lightkube.Client(
            config, namespace=self.namespace, timeout=timeout, transport=transport
        )
        parameters = client_adapter.ConnectionParams(timeout=timeout, transport=transport)
        self._plain = client_adapter.Client(config, parameters)

    @classmethod
    def connect(cls, context: str | None = None, namespace: str | None = None) -> Self:
        """The cluster of a context, or of the current one; nothing is asked of it yet.

        Raises `ClusterError` when KUBECONFIG cannot be read or lacks the context.
        """
        try:
            config = _config().get(context)
            if config is None:  # pragma: no cover - lightkube raises instead
                raise ConfigError("there is no current context")
            found = cls(config, namespace)
            found.extension = kubeconfig.extension(found.context or "")
            return found
        except (ConfigError, KeyError, ValueError, OSError, msgspec.MsgspecError) as error:
            said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
            raise ClusterError(
                f"no cluster is configured: {said}",
                where=os.environ.get("KUBECONFIG") or kubeconfig.DEFAULT,
                remedy="set KUBECONFIG, or name a context of it with --context",
            ) from error

    def __str__(self) -> str:
        return f"cluster: context {self.context}, namespace {self.namespace}"

    def version(self) -> tuple[int, int]:
        """Major and minor version of the API server."""
        told = self._get("/version") or {}
        numbers = re.findall(r"\d+", f"{told.get('major')} {told.get('minor')}")
        return int(numbers[0]), int(numbers[1])

    def serves(self, group_version: str, kind: str) -> bool:
        """Does the API server know that kind, built in or by a CustomResourceDefinition?"""
        found = self._get(f"/apis/{group_version}") or {}
        return any(item["kind"] == kind for item in found.get("resources", ()))

    def workloads(
        self, labels: Mapping[str, str], namespace: str | None = None
    ) -> list[Deployment | StatefulSet]:
        """Deployments, then StatefulSets, that carry these labels."""
        found: list[Deployment | StatefulSet] = []
        with self._asking("Deployments and StatefulSets"):
            for kind in (Deployment, StatefulSet):
                found += self._typed.list(
                    kind, labels=dict(labels), namespace=namespace or self.namespace
                )
        return found

    def pods(self, labels: Mapping[str, str]) -> list[Pod]:
        """Pods that carry these labels."""
        with self._asking("pods"):
            return list(self._typed.list(Pod, labels=dict(labels)))

    def object(self, path: str) -> dict[str, Any] | None:
        """An object, or a list of them, by its path below the server; None when there is none."""
        return self._get(path)

    def custom(self, plural: str, name: str = "") -> dict[str, Any] | None:
        """Istio's object of that name in the namespace, or without a name the list of them."""
        base = f"/apis/networking.istio.io/v1/namespaces/{self.namespace}/{plural}"
        return self._get(f"{base}/{name}" if name else base)

    def log(
        self, pod: str, container: str, *, lines: int | None = None, previous: bool = False
    ) -> str:
        """The log of a container, or of its run before; `lines` counts from the end."""
        query = {"container": container, "previous": str(previous).lower()}
        if lines is not None:
            query["tailLines"] = str(lines)
        with self._asking(f"the log of {pod}"):
            answer = self._plain.get(self._pod(pod) + "/log", params=query)
            answer.raise_for_status()
            return answer.text

    def follow(
        self, pod: str, container: str, lines: int | None, since: int | None = None
    ) -> Iterator[str]:
        """The log's last lines (None: all), and what is written from now on, until its end.

        `since` leaves out what is older than that many seconds.
        """
        with self._asking(f"the log of {pod}"):
            yield from self._typed.log(
                pod, container=container, follow=True, tail_lines=lines, since=since, newlines=False
            )

    def page(self, pod: str, port: int, path: str) -> str:
        """A page that a pod serves, fetched by the API server."""
        with self._asking(f"{path} of {pod}"):
            answer = self._plain.get(f"{self._pod(pod)}:{port}/proxy{path}")
            answer.raise_for_status()
            return answer.text

    def allowed(self, verb: str, group: str, resource: str, namespace: str | None) -> bool:
        """May this user do that? Without a namespace: in all of them."""
        asked = ResourceAttributes(
            verb=verb, group=group, resource=resource, namespace=namespace or ""
        )
        review = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=asked))
        with self._asking("what is allowed"):
            answer = self._typed.create(review)
        return bool(answer.status and answer.status.allowed)

    def _pod(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{name}"

    def _get(self, path: str) -> dict[str, Any] | None:
        with self._asking(path):
            answer = self._plain.get(path)
            if answer.status_code == httpx2.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPStatusError as error:
            raise _refused(self, what, error) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnreachableError(
                f"the API server does not answer: {error or type(error).__name__}",
                where=f"{self.server} (context {self.context})",
                remedy="start the cluster, or name another one with --context",
            ) from error
        # All others are the plugin's that signs in, or of an answer that no API server gives.
        except (ConfigError, OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
            plugin = f"; {self._plugin} must print a token" if self._plugin else ""
            raise ClusterError(
                f"{what}: nothing to work with came back: {type(error).__name__}, {error}",
                where=f"{self.server} (context {self.context})",
                remedy=f"the address must be an API server's{plugin}",
            ) from error


def _user(user: User | None) -> User:
    """The user as lightkube takes it: always there, its plugin of a version that lightkube knows.

    Version v1 of the plugins' answer differs from v1beta1 in nothing that is read here.
    """
    if user is None:
        return User()
    if user.exec is None or user.exec.apiVersion != f"{_PLUGIN}/v1":
        return user
    plugin = msgspec.structs.replace(user.exec, apiVersion=f"{_PLUGIN}/v1beta1")
    return msgspec.structs.replace(user, exec=plugin)


def _config() -> KubeConfig:
    """KUBECONFIG, or the account of the pod in which this runs."""
    if kubeconfig.paths():
        return KubeConfig.from_dict(kubeconfig.merged())
    if kubeconfig.in_pod():
        return KubeConfig.from_service_account(SERVICE_ACCOUNT)
    raise ConfigError("there is no such file")


def _refused(cluster: Kubernetes, what: str, error: httpx2.HTTPStatusError) -> ClusterError:
    status = error.response.status_code
    said = error.status.message if isinstance(error, ApiError) else _message(error.response)
    remedies: dict[int, str] = {
        httpx2.codes.UNAUTHORIZED: "sign in again; the context's user is not known to the cluster",
        httpx2.codes.FORBIDDEN: "ask for the right, as docs/kubernetes.md tells, or use a context "
        "that has it",
    }
    passing = (
        status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR
    )
    return (UnreachableError if passing else ClusterError)(
        f"{what}: {said or f'the API server answered {status}'}",
        where=str(cluster),
        remedy=remedies.get(status, ""),
    )


def _message(answer: httpx2.Response) -> str:
    """What a refusal says, which names user, verb and resource; empty when it isn't a Status."""
    try:
        told = answer.json()
    except (ValueError, httpx2.StreamError):
        return ""
    return str(told.get("message", "")) if isinstance(told, dict) else ""
