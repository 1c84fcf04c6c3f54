"""The models a run needs, trained when its registry lacks them.

Enters: the plan. Leaves: artifacts in the registry of the state directory. Called by
`serinus.local.session` before anything starts; a registry elsewhere is left alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from serinus.clients.registry import publish
from serinus.errors import ModelError
from serinus.local.plan import Plan


def wanted(plan: Plan) -> Iterable[tuple[Path, str, str]]:
    """Registry, name and version of each model that the plan's workloads load."""
    found: dict[tuple[Path, str, str], None] = {}
    for workload in plan.workloads:
        env = workload.template.env
        if {"MODEL_REGISTRY", "MODEL_NAME", "MODEL_VERSION"} <= env.keys():
            key = (Path(env["MODEL_REGISTRY"]), env["MODEL_NAME"], env["MODEL_VERSION"])
            found[key] = None
    return found


def ensure(plan: Plan, say: Callable[[str], None]) -> None:
    """Train what the registry of the state directory lacks; raises `ModelError`."""
    own = Path(plan.state)
    for registry, name, version in wanted(plan):
        lacks = not (registry / name / version / "manifest.json").exists()
        if lacks and registry.is_relative_to(own):
            say(f"training model {name} {version}, once")
            train(registry, name, version)


def train(registry: Path, name: str, version: str) -> None:
    """Train one version from the project's data set; raises `ModelError`."""
    # scikit-learn takes a second to load, and most starts find their models.
    from serinus.model import train as training

    with tempfile.TemporaryDirectory(prefix="serinus-model-") as folder:
        training.train(data(), Path(folder, "artifact"), name, version)
        publish(Path(folder, "artifact"), str(registry))


def data() -> list[Path]:
    """The data set's files; raises `ModelError` when the project's folder isn't there."""
    found = sorted(Path(__file__).resolve().parents[3].glob("data/reviews/*.tsv"))
    if not found:
        raise ModelError(
            "the data set is not installed",
            where="data/reviews",
            remedy="put a model into the registry: serinus model train DATA.tsv --registry DIR",
        )
    return found
