"""Helm releases of a cluster: their history, and new revisions of them.

Enters: a chart's directory and whole values. Leaves: revisions, or `ClusterError` and `ChartError`
with the engine's own words. Always server-side with `force_conflicts`: after a hand edit an upgrade
would fail otherwise, and the wrapper lacks that option. Called by `serinus.cluster`.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from serinus.clients import helm, kubeconfig, stderr
from serinus.clients.values import Values
from serinus.errors import ChartError, ClusterError, UnreachableError

if TYPE_CHECKING:
    from serinus.clients.kubernetes import Kubernetes

HISTORY: Final = 20
"""Revisions that are kept."""
ENGINE_SECONDS: Final = 300.0
"""Seconds after which an engine that waits for the API server is given up."""
_TURN: Final = 0.2
"""Seconds between looks for a Ctrl-C that came to another thread."""
_LETTING_GO: Final = 10.0
"""Seconds that a cancelled engine gets to write down that it failed."""
_ABANDONED: Final[list[ExitStack]] = []
"""Handles that an engine still uses which couldn't be ended; they end with this process."""
_NO_HANDLE: Final = 0


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release, as its history tells it."""

    number: int
    status: str
    updated: str
    chart: str
    description: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A revision as it is kept in the cluster: what it was made from, and what came out."""

    number: int
    values: Values
    manifest: str
    notes: str
    labels: Mapping[str, str]
    chart: Mapping[str, Any]


class Releases:
    """One release, by its name, in the namespace of a cluster."""

    def __init__(self, cluster: Kubernetes, name: str = "serinus") -> None:
        self.cluster = cluster
        self.name = name

    def readable(self) -> bool:
        """May this user read the revisions?"""
        return all(
            self.cluster.allowed(verb, "", "secrets", self.cluster.namespace)
            for verb in ("list", "get")
        )

    def history(self) -> list[Revision]:
        """All revisions that are kept, oldest first; none when it was never installed."""
        # The engine's own history lacks the descriptions.
        selector = f"labelSelector=owner%3Dhelm%2Cname%3D{self.name}"
        path = f"/api/v1/namespaces/{self.cluster.namespace}/secrets?{selector}"
        found = (self.cluster.object(path) or {}).get("items", ())
        return sorted((_revision(_release(item)) for item in found), key=lambda one: one.number)

    def stored(self, revision: int) -> Stored:
        """One revision; raises `ClusterError` when it isn't kept."""
        secret = self.cluster.object(self._secret(revision))
        if secret is None:
            raise ClusterError(
                f"there is no revision {revision} of {self.name}",
                where=str(self.cluster),
                remedy="`serinus deploy --history` lists them",
            )
        return unpack(secret)

    def put(
        self,
        chart: Path,
        values: Mapping[str, Any],
        *,
        first: bool,
        description: str = "",
        labels: Mapping[str, str] | None = None,
        dry_run: bool = False,
    ) -> str:
        """Make a revision and return its manifest; a dry run makes none.

        Nothing is waited for. Raises `ChartError` when the chart refuses the values, and
        `ClusterError` when the cluster refuses an object.
        """
        options: dict[str, Any] = {
            "namespace": self.cluster.namespace,
            "dry_run": "server" if dry_run else "none",
            # The engine takes a boolean for an install and a word for an upgrade.
            "server_side_apply": True if first else "true",
            "force_conflicts": True,
            "timeout_seconds": 300,
            "labels": dict(labels or {}),
        }
        if description:
            options["description"] = description
        if first:
            # The engine would ask to create one that exists too, which takes a cluster-wide right.
            options["create_namespace"] = not dry_run and self._without_namespace()
            # Takes the name again after `helm uninstall --keep-history`.
            options["replace"] = True
        else:
            options["max_history"] = HISTORY
        return self._call(
            "helm_install" if first else "helm_upgrade",
            chart,
            json.dumps(helm.sent(chart, values)),
            options,
        )

    def made(self, revision: int) -> bool:
        """Is there a revision of that number?"""
        return self.cluster.object(self._secret(revision)) is not None

    def unlock(self, revision: int) -> None:
        """Apply an older revision's objects as a new one, which ends one that was cut off.

        Raises `ClusterError` with the engine's words.
        """
        import helm_python
        from helm_python import _native

        options = {"version": revision, "server_side_apply": "true", "force_conflicts": True}
        told = json.dumps(options)
        try:
            self._engine(
                lambda config, _: _native.call_status("helm_rollback", config, self.name, told)
            )
        except helm_python.HelmError as error:
            raise ClusterError(str(error).strip(), where=self._where) from error

    @property
    def _where(self) -> str:
        return f"{self.cluster}, release {self.name}"

    def _secret(self, revision: int) -> str:
        name = f"sh.helm.release.v1.{self.name}.v{revision}"
        return f"/api/v1/namespaces/{self.cluster.namespace}/secrets/{name}"

    def _without_namespace(self) -> bool:
        return self.cluster.object(f"/api/v1/namespaces/{self.cluster.namespace}") is None

    def _call(self, verb: str, chart: Path, values: str, options: Mapping[str, Any]) -> str:
        import helm_python
        from helm_python import _native

        told = json.dumps(options)
        try:
            payload = self._engine(
                lambda config, cancel: _native.call_string(
                    verb, config, cancel, _NO_HANDLE, str(chart), self.name, values, told
                )
            )
        except helm_python.HelmError as error:
            raise _explained(self, chart, error) from error
        return str(json.loads(payload)["manifest"])

    def _engine(self, call: Callable[[Any, Any], Any]) -> Any:
        """Let the engine work, in a thread, so that Ctrl-C and a silent API server can end it.

        `call` takes the handles of the cluster's configuration and of the cancellation.
        """
        import helm_python

        done: dict[str, Any] = {}

        def work() -> None:
            try:
                done["result"] = call(config._raw(), cancel._raw())
            except Exception as error:  # for the caller, whatever it is
                done["error"] = error

        with ExitStack() as held, stderr.readable():
            config = held.enter_context(self._config())
            cancel = held.enter_context(helm_python.HelmContext())
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            try:
                until = time.monotonic() + ENGINE_SECONDS
                while thread.is_alive() and time.monotonic() < until:
                    thread.join(_TURN)
                late = thread.is_alive()
            finally:
                if thread.is_alive():
                    cancel.cancel()
                    thread.join(_LETTING_GO)
                if thread.is_alive():
                    _ABANDONED.append(held.pop_all())
        if late:
            raise UnreachableError(
                f"the API server did not answer within {ENGINE_SECONDS:.0f} s",
                where=self._where,
                remedy="the revision may be half made: `serinus deploy --history` shows it and "
                "`serinus deploy --rollback` leads back",
            )
        if "error" in done:
            raise done["error"]
        return done["result"]

    def _config(self) -> Any:
        """The engine's connection, by the same files and context as ours."""
        import helm_python

        # Named, since the engine knows the environment of its start only.
        files = kubeconfig.paths()
        told: dict[str, Any] = {}
        if files:  # A pod's own account has none; the engine finds it by itself.
            told["kube_context"] = self.cluster.context
        if len(files) == 1:
            told["kubeconfig_path"] = files[0]
        elif files:
            told["kubeconfig_content"] = yaml.safe_dump(kubeconfig.merged())
        return helm_python.Config(namespace=self.cluster.namespace, **told)


def unpack(secret: Mapping[str, Any]) -> Stored:
    """Read the Secret in which Helm keeps a revision."""
    release = _release(secret)
    labels = secret["metadata"].get("labels") or {}
    return Stored(
        number=int(release["version"]),
        values=release.get("config") or {},
        manifest=release.get("manifest") or "",
        notes=(release.get("info") or {}).get("notes") or "",
        labels=labels,
        chart=release["chart"],
    )


def write_chart(chart: Mapping[str, Any], into: Path) -> Path:
    """Write the chart of a kept revision as files, so that it can be applied again."""
    if chart.get("dependencies"):
        raise ChartError("the kept chart has charts within it", where=str(chart["metadata"]))
    files = {
        "Chart.yaml": json.dumps(chart["metadata"]).encode(),
        "values.yaml": json.dumps(chart.get("values") or {}).encode(),
    }
    if chart.get("schema"):
        files["values.schema.json"] = base64.b64decode(chart["schema"])
    for item in (*(chart.get("templates") or ()), *(chart.get("files") or ())):
        files[item["name"]] = base64.b64decode(item["data"])
    for name, data in files.items():
        path = into / name
        if not path.resolve().is_relative_to(into.resolve()):
            raise ChartError("the kept chart names a file outside of itself", where=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return into


def _release(secret: Mapping[str, Any]) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    # Helm packs what is large; the two bytes are gzip's own mark.
    text = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    release: dict[str, Any] = json.loads(text)
    return release


def _revision(release: Mapping[str, Any]) -> Revision:
    info, about = release["info"], release["chart"]["metadata"]
    return Revision(
        number=int(release["version"]),
        status=str(info["status"]),
        updated=str(info["last_deployed"]),
        chart=f"{about['name']}-{about['version']}",
        description=str(info.get("description", "")),
    )


def _explained(release: Releases, chart: Path, error: Exception) -> ChartError | ClusterError:
    if "another operation" in str(error):
        return ClusterError(
            f"another revision of {release.name} is being made just now",
            where=str(release.cluster),
            remedy="`serinus deploy --history` shows it; then repeat the command",
        )
    refused = helm.chart_error(chart, error)
    if refused.where != str(chart):
        return refused
    return ClusterError(str(error).strip(), where=release._where)
