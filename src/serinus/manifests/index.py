"""The rendered chart as an index of objects.

Enters: the YAML stream that the Helm engine renders, with its `# Source:` comments. Leaves:
`Index`, objects in their order, found by kind and name. Called by `serinus.local`, `serinus.mesh`
and `serinus.monitoring`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Any, Self

import yaml

from serinus.errors import ManifestError
from serinus.manifests.object import Object, Source

_SOURCE = "# Source: "


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date stays text, a repeated key is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raises `ManifestError` for a repeated key."""
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            repeated = next(key for key in keys if keys.count(key) > 1)
            raise ManifestError(
                f"the key '{repeated}' is written twice",
                where=f"rendered line {node.start_mark.line + 1}",
            )
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class Index:
    """Objects of one render, in rendered order."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._objects = tuple(objects)
        self._by_name: dict[tuple[str, str], list[Object]] = {}
        for item in self._objects:
            same = self._by_name.setdefault((item.kind, item.name), [])
            if any(item.namespace == other.namespace for other in same):
                raise ManifestError(
                    "is rendered twice", where=item.where(), remedy=f"also at {same[0].where()}"
                )
            same.append(item)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rendered stream; empty documents are passed over.

        Raises `ManifestError` for broken YAML, a repeated key or object, and for a document that is
        no Kubernetes object.
        """
        starts, templates = _sources(text)
        loader = _Loader(text)
        objects = []
        try:
            while loader.check_node():
                node = loader.get_node()
                raw = loader.construct_document(node) if node else None
                if node is None or raw is None:
                    continue
                line = node.start_mark.line
                at = bisect.bisect_right(starts, line) - 1
                objects.append(
                    _object(raw, node, Source(templates[at] if at >= 0 else "", line + 1))
                )
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            at = bisect.bisect_right(starts, line - 1) - 1
            raise ManifestError(
                f"the chart rendered broken YAML: {error.problem}",
                where=str(Source(templates[at] if at >= 0 else "", line)),
                remedy="`serinus render` prints the text",
            ) from error
        finally:
            loader.dispose()
        return cls(objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def of(self, kind: str) -> tuple[Object, ...]:
        """All objects of a kind, in rendered order."""
        return tuple(item for item in self._objects if item.kind == kind)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """The object of that kind and name; with a namespace, only in that one."""
        for item in self._by_name.get((kind, name), ()):
            if namespace is None or item.namespace == namespace:
                return item
        return None


def _sources(text: str) -> tuple[list[int], list[str]]:
    starts, templates = [], []
    for number, line in enumerate(text.splitlines()):
        if line.startswith(_SOURCE):
            starts.append(number)
            templates.append(line[len(_SOURCE) :].strip())
    return starts, templates


def _object(raw: Any, node: yaml.Node, source: Source) -> Object:
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) and value
        for value in (raw.get("apiVersion"), raw.get("kind"), metadata.get("name"))
    ):
        raise ManifestError(
            "a rendered document lacks apiVersion, kind or metadata.name", where=str(source)
        )
    return Object(
        raw["apiVersion"],
        raw["kind"],
        metadata["name"],
        metadata.get("namespace"),
        metadata.get("labels") or {},
        raw,
        source,
        node,
    )
