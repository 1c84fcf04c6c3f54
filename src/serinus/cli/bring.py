"""`serinus model bring`: a model made elsewhere becomes a version in a registry.

Enters: an ONNX file and what it declares. Leaves: a published artifact, after the engine has
loaded it and predicted with it. A command of the group in `serinus.cli.model`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from serinus.clients import registry as registries
from serinus.errors import ModelError
from serinus.model import artifact, engine
from serinus.model.onnx import FILE


@click.command(epilog="Example: serinus model bring mine.onnx --name mine --version v1")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="Name of the model.")
@click.option("--version", required=True, help="Version to publish.")
@click.option(
    "--labels",
    default="negative,positive",
    show_default=True,
    help="Labels in the order of the output's columns.",
)
@click.option(
    "--input", "input_name", default="text", show_default=True, help="The input: strings."
)
@click.option(
    "--output",
    "output_name",
    default="probabilities",
    show_default=True,
    help="The output: a probability per label.",
)
@click.option("--description", default="", help="What it is and where it comes from.")
@click.option(
    "--registry",
    default=".serinus/registry",
    show_default=True,
    help="Directory of the model registry.",
)
def bring(
    file: Path,
    name: str,
    version: str,
    labels: str,
    input_name: str,
    output_name: str,
    description: str,
    registry: str,
) -> None:
    """Check an ONNX text classifier and put it into the registry."""
    try:
        with tempfile.TemporaryDirectory(prefix="serinus-model-") as folder:
            made = artifact.write(
                Path(folder, "artifact"),
                {FILE: file.read_bytes()},
                name=name, version=version, engine="onnx", description=description,
                labels=[label.strip() for label in labels.split(",")],
                options={"input": input_name, "output": output_name},
            )  # fmt: skip
            engine.load(Path(folder, "artifact"))
            registries.publish(Path(folder, "artifact"), registry)
    except ModelError as error:
        # The file in the temporary folder is the user's file.
        raise type(error)(error.what, where=str(file), remedy=error.remedy) from error
    click.echo(f"{name} {version} {made.digest[:12]} in {Path(registry, name, version)}")
