"""The models a run needs, trained when its registry lacks them.

Enters: the plan. Leaves: artifacts in the registry of the state directory. Called by
`serinus.local.session` before anything starts; a registry elsewhere is left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from serinus.clients.registry import publish
from serinus.contracts import artifact
from serinus.errors import ModelError
from serinus.local.plan import Plan
from serinus.local.workspace import write
from serinus.model import engine

RECORD: Final = "trained.json"
"""Digest of each model that `ensure` trained, below the state directory."""


def wanted(plan: Plan) -> Iterable[tuple[Path, str, str]]:
    """Registry, name and version of each model that the plan's workloads load."""
    found: dict[tuple[Path, str, str], None] = {}
    for workload in plan.workloads:
        env = workload.template.env
        if {"MODEL_REGISTRY", "MODEL_NAME", "MODEL_VERSION"} <= env.keys():
            key = (Path(env["MODEL_REGISTRY"]), env["MODEL_NAME"], env["MODEL_VERSION"])
            found[key] = None
    return found


def ensure(plan: Plan, say: Callable[[str], None], *, check: bool) -> None:
    """Train what the registry of the state directory lacks; raises `ModelError`.

    With `check`, a model that an earlier `serinus up` trained is trained again when this Serinus
    cannot use it any longer; anybody else's is left to its owner.
    """
    own = Path(plan.state)
    record = own / RECORD
    trained: dict[str, str] = msgspec.json.decode(record.read_bytes()) if record.exists() else {}
    for registry, name, version in wanted(plan):
        if not registry.is_relative_to(own):
            continue
        folder, key = registry / name / version, f"{name}/{version}"
        if (folder / "manifest.json").exists():
            if not check or trained.get(key) != _digest(folder) or _usable(folder):
                continue
            say(f"training model {name} {version} again: this Serinus reads text differently")
            shutil.rmtree(folder)
            for cache in _caches(plan):
                shutil.rmtree(cache / name / version, ignore_errors=True)
        else:
            say(f"training model {name} {version}, once")
        train(registry, name, version)
        trained[key] = _digest(folder)
        write(record, msgspec.json.encode(trained))


def _digest(folder: Path) -> str:
    return artifact.read(folder).digest


def _usable(folder: Path) -> bool:
    try:
        engine.load(folder)
    except ModelError:
        return False
    return True


def _caches(plan: Plan) -> set[Path]:
    found = {workload.template.env.get("MODEL_CACHE", "") for workload in plan.workloads}
    return {Path(path) for path in found if path and Path(path).is_relative_to(plan.state)}


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
