"""`serinus model`: train models and look at what a registry holds.

Enters: labelled reviews and a registry. Leaves: artifacts, figures, tables. scikit-learn is
imported by the commands that train, so that the others stay quick.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from serinus.clients.registry import publish, versions
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
    with tempfile.TemporaryDirectory(prefix="serinus-model-") as folder:
        made = training.train(data, Path(folder, "artifact"), name, version)
        publish(Path(folder, "artifact"), str(registry))
    click.echo(f"{name} {version} {made.digest[:12]} in {target}")
    for metric, value in sorted(made.metrics.items()):
        click.echo(f"  {metric}: {value}")


@model.command("list")
@click.option(
    "--registry",
    default=".serinus/registry",
    show_default=True,
    help="Directory or http(s) address of the model registry.",
)
@NAME
def list_versions(registry: str, name: str) -> None:
    """List the versions of a model in a registry."""
    found = versions(registry, name)
    if not found:
        click.echo(f"{registry} has no version of {name}", err=True)
    for entry in found:
        click.echo(f"{entry.version}\t{entry.engine}\t{entry.bytes} bytes\t{entry.digest}")
