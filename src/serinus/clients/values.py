"""Helm values: reading, merging and `--set`.

Enters: values files, `--set` expressions, mappings. Leaves: one mapping. Called by `serinus.local`
and `serinus.cluster`; the merge is Helm's own (mappings merge, lists and scalars replace, `null`
removes a default of the chart), so what we send whole means the same as several `-f`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from serinus.errors import UsageError

Values: TypeAlias = dict[str, Any]


def merge(*layers: Mapping[str, Any]) -> Values:
    """Merge mappings, later ones win; inputs stay as they are.

    A `null` stays a `null`: the Helm engine then removes the chart's default of that key.
    """
    merged: Values = {}
    for layer in layers:
        for key, value in layer.items():
            present = merged.get(key)
            if isinstance(value, Mapping):
                merged[key] = merge(present if isinstance(present, Mapping) else {}, value)
            else:
                merged[key] = value
    return merged


def pruned(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Values:
    """Values without each `null` that has no default to remove; the schema would refuse it."""
    kept: Values = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping):
            kept[key] = pruned(value, default if isinstance(default, Mapping) else {})
        elif value is not None or default is not None:
            kept[key] = value
    return kept


def given(files: Iterable[Path], sets: Iterable[str]) -> Values:
    """What a user gave: values files, then `--set` expressions, by the Helm engine's own rules.

    Raises `UsageError` naming the file or the expression.
    """
    values = merge(*(read(path) for path in files))
    for item in sets:
        values = _laid(values, expression(item), item)
    return values


def read(path: Path) -> Values:
    """Read one values file; raises `UsageError` when it is missing or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"is not UTF-8 at byte {error.start}", where=str(path), remedy="save it as UTF-8"
        ) from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Values:
    """Read values from text as Helm does, to whom `12:30` is a text; `where` names it in errors."""
    import helm_python

    try:
        return helm_python.values_from_yaml(text)
    except helm_python.HelmError as error:
        if "cannot unmarshal" in str(error):
            raise UsageError("must be a mapping of values", where=where) from error
        said = str(error).removeprefix("error converting YAML to JSON: ")
        raise UsageError(f"is no YAML: {said}", where=where) from error


def expression(item: str) -> Values:
    """Read one `--set` expression (`a.b=1,c[0]=x`)."""
    import helm_python

    try:
        return helm_python.parse_set_string(item)
    except helm_python.HelmError as error:
        raise UsageError(
            f"{error}", where=f"--set {item}", remedy="write it as path.to.value=x"
        ) from error


def _laid(below: Any, above: Any, item: str, path: str = "") -> Any:
    """One expression over what is there; an index changes its item of a list and no other."""
    if isinstance(above, dict):
        present = below if isinstance(below, dict) else {}
        names = {key: key.replace(".", "\\.") for key in above}
        changed = {
            key: _laid(
                present.get(key), value, item, f"{path}.{names[key]}" if path else names[key]
            )
            for key, value in above.items()
        }
        return {**present, **changed}
    indexed = re.search(rf"(^|,){re.escape(path)}\[", item)
    if isinstance(above, list) and isinstance(below, list) and indexed:
        pairs = enumerate(itertools.zip_longest(below, above))
        return [
            old if new is None else _laid(old, new, item, f"{path}[{number}]")
            for number, (old, new) in pairs
        ]
    return above
