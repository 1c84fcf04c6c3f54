"""`serinus model`: train models and look at what a registry holds.

Enters: labelled reviews and a registry. Leaves: artifacts, figures, tables. scikit-learn is
imported by the commands that train, so that the others stay quick.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from serinus.errors import UsageError

DATA = click.argument(
    "data", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
REGISTRY = click.option(
    "--registry",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".serinus/registry"),
    show_default=True,
    help="Directory of the model registry.",
)
NAME = click.option("--name", default="reviews", show_default=True, help="Name of the model.")


@click.group()
def model() -> None:
    """Train, evaluate and publish models."""


@model.command()
@DATA
@REGISTRY
@NAME
@click.option("--version", default="v1", show_default=True, help="Version to write.")
def train(data: tuple[Path, ...], registry: Path, name: str, version: str) -> None:
    """Train one version from Review<TAB>Liked files and put it into the registry."""
    from serinus.model import train as training

    target = registry / name / version
    if target.exists():
        raise UsageError(
            f"{name} {version} exists, and versions never change",
            where=str(target),
            remedy="Give another --version.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{version}.") as folder:
        made = training.train(data, Path(folder, "artifact"), name, version)
        Path(folder, "artifact").rename(target)
    click.echo(f"{name} {version} {made.digest[:12]} in {target}")
    for metric, value in sorted(made.metrics.items()):
        click.echo(f"  {metric}: {value}")
