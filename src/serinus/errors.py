"""One tree of errors for everything a user of Serinus can meet.

Enters: what went wrong, where, and what to do about it. Leaves: one readable message. Raised by
every room, printed once by `serinus.cli`, which exits with the error's `exit_code`.
"""

from __future__ import annotations

from typing import ClassVar


class SerinusError(Exception):
    """Anything a user can mend; shown as a message, never as a traceback.

    `what` names the thing, `where` the place (a path, an object, a line) and `remedy` the next
    step. `where` and `remedy` may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.remedy}" if self.remedy else text


class UsageError(SerinusError):
    """A wrong argument or option value."""

    exit_code = 2


class SettingsError(SerinusError):
    """Wrong values in a service's environment, all of them listed at once."""

    exit_code = 2


class MissingDependencyError(SerinusError):
    """A program or a Python extra that is not installed; the remedy is the install command."""

    exit_code = 3


class ChartError(SerinusError):
    """The chart does not load, its values are refused, or it does not render."""


class ManifestError(SerinusError):
    """A rendered object says something that cannot be honoured; `where` is kind, name and path."""


class MeshError(ManifestError):
    """An Istio object uses a field that the mesh compiler does not cover."""


class MonitoringError(ManifestError):
    """A monitoring object that cannot become configuration of Prometheus or Alertmanager."""


class LocalRunError(SerinusError):
    """The run on this machine cannot start, change or stop."""


class PortInUseError(LocalRunError):
    """Another process holds a port; `where` names it."""


class RolloutError(SerinusError):
    """A change of the rollout that would break the routing contract."""


class ModelError(SerinusError):
    """A model, its data or its artifact is unusable."""


class ArtifactError(ModelError):
    """A model artifact is truncated, altered or missing."""


class RegistryError(ModelError):
    """The model registry cannot be reached or refuses."""


class StoreError(SerinusError):
    """The event store cannot be opened or migrated."""


class GatewayError(SerinusError):
    """The gateway answers, but not over this scheme, or with a certificate nobody trusts."""


class ClusterError(SerinusError):
    """The Kubernetes cluster refuses, or lacks what the chart needs."""


class UnreachableError(ClusterError):
    """The API server does not answer, for now or at all."""
