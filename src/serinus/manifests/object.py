"""One rendered Kubernetes object and the places its values came from.

Enters: a YAML node composed with marks (`serinus.manifests.index` does that). Leaves: `Object`, a
frozen record around the raw mapping. Called by every compiler (mesh, monitoring, local) and by
`serinus mesh explain`, which tells the line that decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]


def dotted(path: Path) -> str:
    """Write a path as people do: `spec.http[0].route`; keys with dots are bracketed."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif "." in step or "/" in step:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object begins: its template and the line in the rendered stream, from 1."""

    template: str
    line: int

    def __str__(self) -> str:
        return (
            f"{self.template}, rendered line {self.line}" if self.template else f"line {self.line}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """A rendered object. `raw` is the whole mapping; treat it as read-only.

    `namespace` is `None` when the object doesn't say one. Two objects are the same when they are
    identical; compare `raw` for content.
    """

    api_version: str
    kind: str
    name: str
    namespace: str | None
    labels: Mapping[str, str]
    raw: Mapping[str, Any]
    source: Source
    _node: yaml.Node = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def spec(self) -> Mapping[str, Any]:
        """`raw["spec"]`, or an empty mapping."""
        value = self.raw.get("spec")
        return value if isinstance(value, Mapping) else {}

    @property
    def annotations(self) -> Mapping[str, str]:
        """`metadata.annotations`, or an empty mapping."""
        return self.raw["metadata"].get("annotations") or {}

    def at(self, *path: Step, default: Any = None) -> Any:
        """The value at a path such as `("spec", "http", 0)`; `default` when there is none."""
        value: Any = self.raw
        for step in path:
            if isinstance(step, int):
                if not isinstance(value, list) or step >= len(value):
                    return default
            elif not isinstance(value, Mapping) or step not in value:
                return default
            value = value[step]
        return value

    def line(self, *path: Step) -> int:
        """The line (from 1) in the rendered stream at which the value of a path begins.

        A key's own line for a mapping entry. Where the path ends early, the last place that exists.
        """
        node = self._node
        line = node.start_mark.line
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return int(line) + 1

    def where(self, *path: Step) -> str:
        """Kind, name, path, template and line: the `where` of an error."""
        place = f"{self.kind} {self.name}"
        if path:
            place += f" {dotted(path)}"
        template = f"{self.source.template}, " if self.source.template else ""
        return f"{place} ({template}rendered line {self.line(*path)})"


def _child(node: yaml.Node, step: Step) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark.line, item
    return None
