"""Helm values: reading, merging and `--set`.

Enters: values files, `--set` expressions, mappings. Leaves: one mapping. Called by `serinus.local`
and `serinus.cluster`; the merge is Helm's own (mappings merge, lists and scalars replace, `null`
removes a default of the chart), so what we send whole means the same as several `-f`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

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


def read(path: Path) -> Values:
    """Read one values file; raises `UsageError` when it is missing or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Values:
    """Read values from text; `where` names it in errors."""
    try:
        values = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"is no YAML: {error}", where=where) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError("must be a mapping of values", where=where)
    return values


def expressions(items: Iterable[str]) -> Values:
    """Read `--set` expressions (`a.b=1,c[0]=x`) by the Helm engine's own rules."""
    import helm_python

    merged: Values = {}
    for item in items:
        try:
            merged = merge(merged, helm_python.parse_set_string(item))
        except helm_python.HelmError as error:
            raise UsageError(
                f"{error}", where=f"--set {item}", remedy="write it as path.to.value=x"
            ) from error
    return merged
