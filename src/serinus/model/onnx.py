"""The engine for models that people bring: ONNX Runtime.

Enters: an artifact folder with an ONNX file. Leaves: labels with probabilities. Loaded by
`engine.load` where the extra `onnx` is installed. The manifest's `options` declare the model's
input and output; a model that does not have them is refused at load, with what it has instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from serinus.errors import MissingDependencyError, ModelError
from serinus.model.artifact import Manifest

FILE: Final = "model.onnx"
STRING: Final = "tensor(string)"
FLOATS: Final = ("tensor(float)", "tensor(double)")


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest's `options` say.

    `input` is a tensor of strings, of shape [n] or [n, 1]; `output` holds the probabilities, floats
    of shape [n, number of labels], in the order of the manifest's labels. Both are names in `file`.
    """

    input: str
    output: str
    file: str = FILE


class OnnxEngine:
    """One ONNX model; a session may be called by several threads at once."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        try:
            import numpy
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"an ONNX model needs the package {error.name}",
                where=f"{manifest.name} {manifest.version}",
                remedy="Install it: pip install 'serinus[model-service,onnx]'.",
            ) from error
        self.manifest = manifest
        self.blocking = True
        self._numpy = numpy
        self._where = str(folder)
        options = self._options(manifest)
        settings = onnxruntime.SessionOptions()
        # One process per replica has one core; more threads would only compete.
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 4  # what it says is raised below
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / options.file), settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no other base
            raise ModelError(
                f"ONNX Runtime cannot load the model: {_first_line(error)}",
                where=str(folder / options.file),
            ) from error
        self._input = options.input
        self._output = options.output
        self._column = self._check(options) == 2
        self._try()

    def _options(self, manifest: Manifest) -> Options:
        try:
            options = msgspec.convert(manifest.options, Options)
        except msgspec.ValidationError as error:
            raise ModelError(
                f"the manifest's options do not declare an ONNX model: {error}", where=self._where
            ) from error
        if options.file not in {file.path for file in manifest.files}:
            raise ModelError(
                f"the manifest does not list the file {options.file!r}", where=self._where
            )
        return options

    def _check(self, options: Options) -> int:
        """The number of the input's dimensions; ModelError for what was declared wrongly."""
        inputs = {one.name: one for one in self._session.get_inputs()}
        outputs = {one.name: one for one in self._session.get_outputs()}
        for kind, name, found in (
            ("input", options.input, inputs),
            ("output", options.output, outputs),
        ):
            if name not in found:
                raise self._refused(f"it has no {kind} {name!r}, but {_listed(found)}")
        if others := sorted(inputs.keys() - {options.input}):
            raise self._refused(f"it needs other inputs too: {', '.join(others)}")
        text, probabilities = inputs[options.input], outputs[options.output]
        if text.type != STRING:
            raise self._refused(f"input {text.name!r} is {text.type}, not {STRING}")
        shape = list(text.shape)
        if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or isinstance(shape[0], int):
            raise self._refused(f"input {text.name!r} has shape {shape}, not [n] or [n, 1]")
        if probabilities.type not in FLOATS:
            raise self._refused(
                f"output {probabilities.name!r} is {probabilities.type}, not {FLOATS[0]} "
                "(an export from scikit-learn needs the option zipmap=False)"
            )
        return len(shape)

    def _try(self) -> None:
        """Predict once, since declared shapes may be absent and probabilities need not be such."""
        rows = self._run(["a first text", "and another"])
        labels = len(self.manifest.labels)
        if rows.shape != (2, labels):
            raise self._refused(f"{self._output!r} has shape {list(rows.shape)}, not [2, {labels}]")
        if not self._numpy.allclose(rows.sum(axis=1), 1, atol=1e-3) or rows.min() < 0:
            raise self._refused(f"{self._output!r} holds no probabilities: {rows.tolist()}")

    def _refused(self, reason: str) -> ModelError:
        return ModelError(
            f"the model is not what its manifest declares: {reason}",
            where=self._where,
            remedy="Correct `options` and `labels` of the manifest, or export the model again.",
        )

    def _run(self, texts: Sequence[str]) -> Any:
        array = self._numpy.array(texts, dtype=object)
        if self._column:
            array = array.reshape(-1, 1)
        try:
            return self._session.run([self._output], {self._input: array})[0]
        except Exception as error:  # its exceptions share no other base
            raise ModelError(
                f"ONNX Runtime cannot predict: {_first_line(error)}", where=self._where
            ) from error

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Per text the most probable label and its probability; the first of equal ones."""
        rows = self._run(texts)
        labels = self.manifest.labels
        return [
            (labels[best], float(row[best]))
            for row, best in zip(rows, rows.argmax(axis=1), strict=True)
        ]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _listed(found: dict[str, Any]) -> str:
    return ", ".join(f"{name!r}" for name in found) or "none"
