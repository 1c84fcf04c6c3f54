"""Deployments of the rendered chart as processes.

Enters: the index, the addresses given to outbound listeners, the state directory. Leaves:
`Workload` records in starting order (who is called starts first), the outbound listeners that they
call, and files and directories of their volumes. Pure; called by `serinus.local.session`.
Rewrites by the rules of docs/architecture.md, "A container and its environment".
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from serinus.errors import ManifestError
from serinus.local import addresses
from serinus.local.plan import POD_DIR, POD_IP, POD_NAME, File, Probe, Template, Workload
from serinus.manifests import Index, Object, Path

_URL: Final = re.compile(r"http://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d+))?(?P<rest>/.*)?")
_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_POD: Final[Path] = ("spec", "template", "spec")
_CONTAINER: Final[Path] = (*_POD, "containers", 0)
BASE_ENVIRONMENT: Final = {
    # Fixed, so that a change in somebody's shell restarts nothing.
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(slots=True)
class Outbound:
    """Outbound listeners: port of each (workload, Service), stable from plan to plan."""

    block: str
    ports: dict[str, int] = field(default_factory=dict)

    def port(self, workload: str, service: str) -> int:
        """The listener's port; a new pair gets the lowest free one."""
        key = f"{workload}>{service}"
        if key not in self.ports:
            used = set(self.ports.values())
            number = addresses.OUTBOUND_PORT
            while number in used:
                number += 1
            self.ports[key] = number
        return self.ports[key]

    def url(self, workload: str, service: str) -> str:
        """The listener's address as a process calls it."""
        return (
            f"http://{addresses.host(self.block, addresses.ENVOY)}:{self.port(workload, service)}"
        )


@dataclass(frozen=True, slots=True)
class Pods:
    """What the Deployments become. `calls` names each workload's Services."""

    workloads: tuple[Workload, ...]
    calls: Mapping[str, tuple[str, ...]]
    files: tuple[File, ...]
    directories: tuple[str, ...]


def read(index: Index, state: str, namespace: str, outbound: Outbound) -> Pods:
    """Turn every Deployment into a `Workload`; raises `ManifestError` naming object and path."""
    found: list[Workload] = []
    calls: dict[str, tuple[str, ...]] = {}
    files: dict[str, File] = {}
    directories: dict[str, None] = {}
    for deployment in index.of("Deployment"):
        reader = _Reader(index, deployment, state, namespace, outbound)
        found.append(reader.workload())
        calls[deployment.name] = tuple(sorted(reader.calls))
        files.update((item.path, item) for item in reader.files)
        directories.update(dict.fromkeys(reader.directories))
    return Pods(_in_order(found, calls), calls, tuple(files.values()), tuple(sorted(directories)))


def _in_order(
    workloads: list[Workload], calls: Mapping[str, tuple[str, ...]]
) -> tuple[Workload, ...]:
    called = {item.app: {app for app in calls[item.name] if app != item.app} for item in workloads}
    depth: dict[str, int] = {}

    def measure(app: str, above: frozenset[str]) -> int:
        if app not in depth:
            below = [measure(one, above | {app}) for one in called.get(app, ()) if one not in above]
            depth[app] = 1 + max(below, default=-1)
        return depth[app]

    return tuple(
        sorted(
            workloads,
            key=lambda item: (measure(item.app, frozenset()), item.track != "stable", item.name),
        )
    )


class _Reader:
    """Reads one Deployment."""

    def __init__(
        self, index: Index, deployment: Object, state: str, namespace: str, outbound: Outbound
    ) -> None:
        self.index = index
        self.deployment = deployment
        self.state = PurePosixPath(state)
        self.namespace = namespace
        self.outbound = outbound
        self.calls: set[str] = set()
        self.files: list[File] = []
        self.directories: list[str] = []
        self._used_mounts: set[str] = set()

    def error(self, what: str, *path: str | int, remedy: str = "") -> ManifestError:
        return ManifestError(what, where=self.deployment.where(*path), remedy=remedy)

    def at(self, *path: str | int, default: Any = None) -> Any:
        return self.deployment.at(*path, default=default)

    def workload(self) -> Workload:
        labels = dict(self.at("spec", "template", "metadata", "labels", default={}))
        app, track = labels.get("app"), labels.get("version")
        if not app or not track:
            raise self.error("the pods lack the labels app and version", "spec", "template")
        if len(self.at(*_POD, "containers", default=[])) != 1:
            raise self.error("one container per pod is what one machine runs", *_POD, "containers")
        replicas = self.at("spec", "replicas", default=1)
        return Workload(
            name=self.deployment.name,
            app=str(app),
            track=str(track),
            labels={key: str(value) for key, value in labels.items()},
            replicas=1 if replicas is None else int(replicas),
            template=self.template(),
            recreate=self.at("spec", "strategy", "type") == "Recreate",
            source=str(self.deployment.source),
        )

    def template(self) -> Template:
        command = [*self.at(*_CONTAINER, "command", default=[])]
        if not command:
            raise self.error(
                "the container names no command; one machine runs no images",
                *_CONTAINER,
                remedy="write command: [python, -m, ...] in the chart",
            )
        if command[0] in {"python", "python3"}:
            command[0] = sys.executable
        ports = {
            str(port.get("name", port["containerPort"])): int(port["containerPort"])
            for port in self.at(*_CONTAINER, "ports", default=[])
        }
        mounts = self.mounts()
        env = self.environment(mounts)
        for path, directory in mounts.items():
            if path == "/tmp":  # noqa: S108 -- the container's, not this machine's
                env["TMPDIR"] = directory
            elif path not in self._used_mounts:
                raise self.error(
                    f"no environment variable names the mount {path}, so no process can find it",
                    *_CONTAINER,
                    "volumeMounts",
                )
        arguments = [str(word) for word in self.at(*_CONTAINER, "args", default=[])]
        return Template(
            argv=(*command, *(_expand(word, env) for word in arguments)),
            env=env,
            ports=ports,
            readiness=self.probe("readinessProbe", ports),
            liveness=self.probe("livenessProbe", ports),
            startup=self.probe("startupProbe", ports),
            grace=float(self.at(*_POD, "terminationGracePeriodSeconds", default=30)),
            directories=self.own_directories(mounts),
        )

    @staticmethod
    def own_directories(mounts: Mapping[str, str]) -> tuple[str, ...]:
        """The pod's own folder and its `emptyDir` volumes; none when it has no such volume."""
        found = [path for path in mounts.values() if path.startswith(POD_DIR)]
        return (POD_DIR, *found) if found else ()

    def probe(self, name: str, ports: Mapping[str, int]) -> Probe | None:
        path = (*_CONTAINER, name)
        raw = self.at(*path)
        if raw is None:
            return None
        http = raw.get("httpGet")
        known = {
            "httpGet", "initialDelaySeconds", "periodSeconds", "timeoutSeconds",
            "failureThreshold", "successThreshold",
        }  # fmt: skip
        if http is None or set(raw) - known or set(http) - {"path", "port", "scheme"}:
            raise self.error("only httpGet probes with times and thresholds are honoured", *path)
        if http.get("scheme", "HTTP") != "HTTP":
            raise self.error("only HTTP probes are honoured", *path, "httpGet", "scheme")
        port = http.get("port")
        if isinstance(port, str) and port not in ports:
            raise self.error(f"the container has no port '{port}'", *path, "httpGet", "port")
        return Probe(
            path=http.get("path", "/"),
            port=ports[port] if isinstance(port, str) else int(port),
            initial_delay=float(raw.get("initialDelaySeconds", 0)),
            period=float(raw.get("periodSeconds", 10)),
            timeout=float(raw.get("timeoutSeconds", 1)),
            failures=int(raw.get("failureThreshold", 3)),
            successes=int(raw.get("successThreshold", 1)),
        )

    def mounts(self) -> dict[str, str]:
        """Directory of each mount path, longest path first."""
        volumes: dict[str, str] = {}
        for number, volume in enumerate(self.at(*_POD, "volumes", default=[])):
            volumes[volume["name"]] = self.volume(volume, (*_POD, "volumes", number))
        found: dict[str, str] = {}
        for number, mount in enumerate(self.at(*_CONTAINER, "volumeMounts", default=[])):
            if mount["name"] not in volumes:
                raise self.error(
                    f"there is no volume '{mount['name']}'", *_CONTAINER, "volumeMounts", number
                )
            directory = volumes[mount["name"]]
            if mount.get("subPath"):
                directory = f"{directory}/{mount['subPath']}"
                if not directory.startswith(POD_DIR):
                    self.directories.append(directory)
            found[mount["mountPath"].rstrip("/")] = directory
        return dict(sorted(found.items(), key=lambda item: -len(item[0])))

    def volume(self, volume: Mapping[str, Any], path: Path) -> str:
        if "emptyDir" in volume:
            return f"{POD_DIR}/{volume['name']}"
        if claim := volume.get("persistentVolumeClaim"):
            name = claim["claimName"]
            # The project's own registry is where `serinus model` writes by default.
            directory = str(self.state / (name if name == "registry" else f"volumes/{name}"))
        elif host := volume.get("hostPath"):
            directory = host["path"]
        elif config := volume.get("configMap"):
            directory = self.written("ConfigMap", config["name"], path, 0o644)
        elif secret := volume.get("secret"):
            directory = self.written("Secret", secret["secretName"], path, 0o600)
        else:
            raise self.error("a volume of this type cannot be had on one machine", *path)
        self.directories.append(directory)
        return directory

    def written(self, kind: str, name: str, path: Path, mode: int) -> str:
        folder = f"config/{kind.lower()}-{name}"
        for key, text in self.data(kind, name, path).items():
            self.files.append(File(path=f"{folder}/{key}", text=text, mode=mode))
        return str(self.state / folder)

    def data(self, kind: str, name: str, path: Path) -> dict[str, str]:
        item = self.index.get(kind, name)
        if item is None:
            raise self.error(
                f"the chart renders no {kind} {name}",
                *path,
                remedy="existing Secrets live in a cluster; give the values themselves here",
            )
        if kind == "ConfigMap":
            return {key: str(value) for key, value in (item.at("data") or {}).items()}
        decoded = {
            key: base64.b64decode(value).decode() for key, value in (item.at("data") or {}).items()
        }
        return decoded | {key: str(value) for key, value in (item.at("stringData") or {}).items()}

    def environment(self, mounts: Mapping[str, str]) -> dict[str, str]:
        env = dict(BASE_ENVIRONMENT)
        for number, source in enumerate(self.at(*_CONTAINER, "envFrom", default=[])):
            path: Path = (*_CONTAINER, "envFrom", number)
            kind, key = (
                ("ConfigMap", "configMapRef")
                if "configMapRef" in source
                else ("Secret", "secretRef")
            )
            reference = source[key]
            if reference.get("optional") and self.index.get(kind, reference["name"]) is None:
                continue
            for name, value in self.data(kind, reference["name"], path).items():
                env[source.get("prefix", "") + name] = self.rewritten(value, mounts)
        for number, entry in enumerate(self.at(*_CONTAINER, "env", default=[])):
            path = (*_CONTAINER, "env", number)
            if "valueFrom" not in entry:
                value = _expand(str(entry.get("value") or ""), env)
            elif (found := self.referenced(entry["valueFrom"], path)) is not None:
                value = found
            else:
                continue
            env[entry["name"]] = self.rewritten(value, mounts)
        return env

    def referenced(self, source: Mapping[str, Any], path: Path) -> str | None:
        if "fieldRef" in source:
            name = source["fieldRef"].get("fieldPath")
            labels = self.at("spec", "template", "metadata", "labels", default={})
            known = {
                "status.podIP": POD_IP,
                "metadata.name": POD_NAME,
                "metadata.namespace": self.namespace,
                "spec.nodeName": "localhost",
                **{f"metadata.labels['{key}']": str(value) for key, value in labels.items()},
            }
            if name not in known:
                raise self.error(f"the field {name} has no meaning on one machine", *path)
            return known[name]
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            if reference := source.get(key):
                if reference.get("optional") and self.index.get(kind, reference["name"]) is None:
                    return None
                data = self.data(kind, reference["name"], path)
                if reference["key"] in data:
                    return data[reference["key"]]
                if reference.get("optional"):
                    return None
                raise self.error(f"{kind} {reference['name']} has no key {reference['key']}", *path)
        raise self.error("this source of a value cannot be had on one machine", *path)

    def rewritten(self, value: str, mounts: Mapping[str, str]) -> str:
        for path, directory in mounts.items():
            if value == path or value.startswith(path + "/"):
                self._used_mounts.add(path)
                return directory + value[len(path) :]
        found = _URL.fullmatch(value)
        if found and (service := self.service(found["host"])):
            self.calls.add(service)
            return self.outbound.url(self.deployment.name, service) + (found["rest"] or "")
        return value

    def service(self, host: str) -> str | None:
        name, _, rest = host.partition(".")
        inside = {
            "",
            self.namespace,
            f"{self.namespace}.svc",
            f"{self.namespace}.svc.cluster.local",
        }
        return name if rest in inside and self.index.get("Service", name) else None


def _expand(text: str, env: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)`: an earlier variable's value; unknown ones stay, `$$` is `$`."""
    return _REFERENCE.sub(
        lambda found: "$" if found[0] == "$$" else env.get(found[1], found[0]), text
    )
