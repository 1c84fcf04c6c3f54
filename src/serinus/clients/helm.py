"""The Helm engine: a chart and values become a manifest.

Enters: a chart's directory and whole values. Leaves: `Rendered`, or `ChartError` with the engine's
own words. Called by `serinus.local`, `serinus.cli` and the chart's tests. It never meets a cluster:
the client-side dry run of an install is given a configuration that leads nowhere, so neither
KUBECONFIG nor `lookup` is ever followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serinus.clients.values import Values, pruned
from serinus.errors import ChartError, UsageError

_NOWHERE: Final = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "none", "user": {}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        "current-context": "none",
    }
)
_AT: Final = re.compile(r"execution error at \((?P<where>[^)]+)\): (?P<what>.*)", re.DOTALL)
_REFUSED: Final = re.compile(r"^ *- at (.*)", re.MULTILINE)
"""A line of the schema's complaints."""
_NO_HANDLE: Final = 0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chart rendered: `manifest` is the stream with `# Source:` comments, hooks left out."""

    manifest: str
    notes: str
    chart: str
    version: str


def render(
    chart: Path,
    values: Mapping[str, Any],
    *,
    name: str = "serinus",
    namespace: str = "serinus",
    kube_version: str | None = None,
) -> Rendered:
    """Render a chart as an install would, without a cluster.

    Raises `ChartError` when the chart doesn't load, the values are refused by its schema or its own
    checks, or a template fails.
    """
    import helm_python
    from helm_python import _native

    options: dict[str, Any] = {"dry_run": "client", "namespace": namespace}
    if kube_version is not None:
        options["kube_version"] = kube_version
    values = sent(chart, values)
    try:
        with helm_python.Config(kubeconfig_content=_NOWHERE, namespace=namespace) as config:
            # The wrapper's install() lacks kube_version; its low-level call has it.
            payload = _native.call_string(
                "helm_install",
                config._raw(),
                _NO_HANDLE,
                _NO_HANDLE,
                str(chart),
                name,
                json.dumps(values),
                json.dumps(options),
            )
    except helm_python.HelmError as error:
        raise chart_error(chart, error) from error
    release = json.loads(payload)
    return Rendered(
        release["manifest"],
        release.get("notes", ""),
        release["chart_name"],
        release["chart_version"],
    )


def bundled() -> Path:
    """The project's chart, of an installed package or of a checkout."""
    here = Path(__file__).resolve()
    for path in (here.parents[1] / "chart", here.parents[3] / "charts" / "serinus"):
        if (path / "Chart.yaml").exists():
            return path
    raise UsageError("the chart is not installed", remedy="name its directory with --chart")


@contextmanager
def defaults(chart: Path) -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """Load a chart once, to lay several values over its defaults; see `coalesce`."""
    import helm_python

    def laid_over(values: Mapping[str, Any]) -> dict[str, Any]:
        values = pruned(values, loaded.values or {})
        # Whoever reads the whole values may rely on their shape.
        loaded.validate_schema(values)
        return loaded.merge_values(values)

    try:
        with helm_python.Chart.load(chart) as loaded:
            yield laid_over
    except helm_python.HelmError as error:
        raise chart_error(chart, error) from error


def coalesce(chart: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """The chart's defaults with `values` over them: what a template sees as `.Values`.

    Raises `ChartError` when the chart doesn't load, or its schema refuses the values.
    """
    with defaults(chart) as laid_over:
        return laid_over(values)


def sent(chart: Path, values: Mapping[str, Any]) -> Values:
    """The values as the engine takes them: a `null` stays only where it removes a default."""
    import helm_python

    try:
        with helm_python.Chart.load(chart) as loaded:
            return pruned(values, loaded.values or {})
    except helm_python.HelmError as error:
        raise chart_error(chart, error) from error


def chart_error(chart: Path, error: Exception) -> ChartError:
    """What the engine said about a chart or its values, with its place where it told one."""
    text = str(error).strip()
    if found := _AT.search(text):
        what, _, remedy = found["what"].strip().partition("\n")
        return ChartError(what, where=found["where"], remedy=remedy.strip())
    if wrong := _REFUSED.findall(text):
        return ChartError(
            f"the values are refused: {'; '.join(wrong)}",
            where=str(chart / "values.schema.json"),
            remedy="`values.yaml` in the chart describes every value",
        )
    return ChartError(text, where=str(chart))
