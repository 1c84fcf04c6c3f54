"""`serinus model`: train, judge and hand on models.

Enters: labelled reviews and a registry. Leaves: artifacts, figures, tables. scikit-learn and
matplotlib are imported by the commands that need them, so that the others stay quick.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import msgspec

from serinus.cli.bring import bring
from serinus.cli.dataset import dataset
from serinus.clients import registry as registries
from serinus.contracts.artifact import Manifest
from serinus.errors import UsageError

DATA = click.argument(
    "data", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
FOLDER = click.Path(file_okay=False, path_type=Path)
REGISTRY = click.option(
    "--registry",
    default=".serinus/registry",
    show_default=True,
    help="Directory or http(s) address of the model registry.",
)
NAME = click.option("--name", default="reviews", show_default=True, help="Name of the model.")
RECIPE = click.option("--recipe", help="Recipe of recipes.toml.  [default: the version's]")


@click.group()
def model() -> None:
    """Train, evaluate and publish models."""


@model.command()
@DATA
@REGISTRY
@NAME
@click.option("--version", default="v1", show_default=True, help="Version to write.")
@RECIPE
def train(
    data: tuple[Path, ...], registry: str, name: str, version: str, recipe: str | None
) -> None:
    """Train one version from Review<TAB>Liked files and put it into the registry."""
    target = Path(registry) / name / version
    if target.exists():
        raise UsageError(
            f"{name} {version} exists, and versions never change",
            where=str(target),
            remedy="Give another --version.",
        )
    from serinus.model import train as training

    with tempfile.TemporaryDirectory(prefix="serinus-model-") as folder:
        made = training.train(data, Path(folder, "artifact"), name, version, recipe)
        registries.publish(Path(folder, "artifact"), registry)
    _tell(made, str(target))


@model.command()
@DATA
@click.option("--recipe", default="lexicon", show_default=True, help="Recipe to start from.")
def tune(data: tuple[Path, ...], recipe: str) -> None:
    """Choose a recipe's numbers by nested cross-validation over themes (takes minutes).

    Prints the recipe as it belongs into src/serinus/model/recipes.toml, and what choosing this way
    is worth on themes that no choice had seen.
    """
    from serinus.model import recipe as recipes
    from serinus.model import tune as tuning
    from serinus.model.data import read

    _, start = recipes.load("", recipe)
    chosen = tuning.tune(read(data), start, lambda line: click.echo(line, err=True))
    click.echo(f"# nested accuracy {chosen.nested:.4f}, flattered {chosen.score:.4f}\n[{recipe}]")
    for key, value in msgspec.to_builtins(chosen.recipe).items():
        click.echo(f"{key} = {value}")


@model.command()
@DATA
@REGISTRY
@NAME
@click.option("--version", default="v2", show_default=True, help="Version to judge.")
@click.option("--mistakes", default=10, show_default=True, help="How many mistakes to show.")
@click.option("--plots", type=FOLDER, help="Folder for reliability.png and confusion.png.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    data: tuple[Path, ...],
    registry: str,
    name: str,
    version: str,
    mistakes: int,
    plots: Path | None,
    as_json: bool,
) -> None:
    """Judge a version on labelled reviews that it was not trained on."""
    from serinus.cli import model_report
    from serinus.model import engine
    from serinus.model.data import read
    from serinus.model.evaluate import evaluate as judge
    from serinus.stats.proportion import wilson

    reviews = read(data)
    with tempfile.TemporaryDirectory(prefix="serinus-model-") as cache:
        found = registries.fetch(registry, name, version, Path(cache))
        result = judge(engine.load(found.folder), reviews, wilson)
    if found.manifest.data_sha256 == reviews.digest() and not as_json:
        click.echo("This is the data that the model was trained on: no judgment.", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(model_report.plain(result))))
    else:
        model_report.show(result, f"{name} {version}", mistakes)
    if plots:
        from serinus.model import plots as drawing

        for path in drawing.write(result, f"{name} {version}", plots):
            click.echo(f"wrote {path}", err=as_json)


@model.command("list")
@REGISTRY
@NAME
def list_versions(registry: str, name: str) -> None:
    """List the versions of a model in a registry."""
    found = registries.versions(registry, name)
    if not found:
        click.echo(f"{registry} has no version of {name}", err=True)
    for entry in found:
        click.echo(f"{entry.version}\t{entry.engine}\t{entry.bytes} bytes\t{entry.digest}")


@model.command()
@click.argument("folder", type=FOLDER)
def verify(folder: Path) -> None:
    """Compare the files of an artifact with its manifest, and load it with its engine."""
    from serinus.model import engine

    _tell(engine.load(folder).manifest, str(folder))


@model.command()
@click.argument("folder", type=FOLDER)
@REGISTRY
def publish(folder: Path, registry: str) -> None:
    """Put the artifact in FOLDER into a registry; a published version never changes."""
    _tell(registries.publish(folder, registry), registry)


@model.command()
@click.argument("version")
@REGISTRY
@NAME
@click.option("--to", "target", type=FOLDER, default=Path("models"), show_default=True,
              help="Directory that gets NAME/VERSION.")  # fmt: skip
def pull(version: str, registry: str, name: str, target: Path) -> None:
    """Fetch one version from a registry and check it."""
    found = registries.fetch(registry, name, version, target)
    _tell(found.manifest, str(found.folder))


@model.command()
@click.argument("version")
@REGISTRY
@NAME
@click.option("--track", type=click.Choice(["stable", "canary"]), default="canary",
              show_default=True, help="Track that shall serve the version.")  # fmt: skip
def promote(version: str, registry: str, name: str, track: str) -> None:
    """Check a version and print the values that make a track serve it.

    Give them to `serinus up -f` or to Helm: a new canary model begins a new epoch. From canary to
    stable, `serinus rollout promote` does both at once.
    """
    from serinus.model import engine

    with tempfile.TemporaryDirectory(prefix="serinus-model-") as cache:
        found = registries.fetch(registry, name, version, Path(cache))
        manifest = engine.load(found.folder).manifest
    click.echo(f"# {name} {version} {manifest.digest[:12]} verifies and loads")
    click.echo(f"workloads:\n  model-service:\n    tracks:\n      {track}:")
    click.echo(f"        model:\n          name: {name}\n          version: {version}")


model.add_command(bring)
model.add_command(dataset)


def _tell(made: Manifest, where: str) -> None:
    click.echo(f"{made.name} {made.version} {made.engine} {made.digest[:12]} in {where}")
    for metric, value in made.metrics.items():
        told = value if isinstance(value, dict) else {"": value}
        for part, number in told.items():
            click.echo(f"  {' '.join(filter(None, (metric, part))):<32}{number}")
