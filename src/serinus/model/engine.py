"""Engines: what turns texts into labels, behind one small interface.

Enters: a verified artifact folder. Leaves: an `Engine`. Called by model-service at start, by
evaluation and by the benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from serinus.errors import ModelError
from serinus.model import artifact
from serinus.model.artifact import Manifest


class Engine(Protocol):
    """A loaded model; calls never change it, so one instance serves all requests, in threads too.

    `blocking` says that even one text may take longer than an event loop should wait.
    """

    manifest: Manifest
    blocking: bool

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Per text the label and its calibrated probability (0.5 to 1 with two labels)."""


def load(folder: Path) -> Engine:
    """Verify the artifact in `folder` and load it with the engine its manifest names.

    Raises ArtifactError for a truncated or altered artifact, ModelError for one that its engine
    cannot use, MissingDependencyError when the engine is not installed.
    """
    manifest = artifact.verify(folder)
    if manifest.engine == "onnx":
        from serinus.model.onnx import OnnxEngine  # an extra; absent from the slim image

        return OnnxEngine(folder, manifest)
    from serinus.model.linear import LinearEngine

    if len(manifest.labels) != 2:
        raise ModelError(
            f"the linear engine has two labels, the manifest {len(manifest.labels)}",
            where=str(folder),
        )
    return LinearEngine.load(folder, manifest)
