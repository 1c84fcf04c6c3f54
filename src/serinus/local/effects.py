"""The honesty of the local run: each field of a rendered object has a stated effect or none.

Enters: the index of rendered objects and the committed table `effects.yaml`. Leaves: the fields
without effect, each with its reason, or one `ManifestError` that lists everything unknown. Called
by `serinus.local.session` before anything is planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import yaml

from serinus.errors import ManifestError
from serinus.manifests import Index, Object, Path

Trie: TypeAlias = dict[str, Any]
_VERDICT = ""
_HONOURED = object()


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """A field path (or a whole kind, path empty) that changes nothing on one machine."""

    kind: str
    path: str
    reason: str


@cache
def _tables() -> tuple[dict[str, Trie | str], dict[str, str]]:
    text = files("serinus.local").joinpath("effects.yaml").read_text(encoding="utf-8")
    table = yaml.load(text, yaml.CSafeLoader)
    kinds: dict[str, Trie | str] = {}
    for kind, entry in table["kinds"].items():
        if isinstance(entry, str):
            kinds[kind] = entry
            continue
        trie: Trie = {}
        for part in (table["every"], entry):
            for path in part.get("honoured", ()):
                _add(trie, path, _HONOURED)
            for path, reason in part.get("without_effect", {}).items():
                _add(trie, path, reason)
        kinds[kind] = trie
    return kinds, table["refused"]


def _add(trie: Trie, path: str, verdict: object) -> None:
    for step in path.replace("[]", ".[]").split("."):
        trie = trie.setdefault(step, {})
    trie[_VERDICT] = verdict


def without_effect(index: Index) -> tuple[WithoutEffect, ...]:
    """Fields of these objects that have no effect here, once per kind and path, in order.

    Raises `ManifestError` listing every field that the table doesn't know.
    """
    kinds, refused = _tables()
    found: dict[WithoutEffect, None] = {}
    unknown: list[str] = []
    for item in index:
        entry = kinds.get(item.kind)
        if entry is None:
            reason = refused.get(item.kind, "serinus.local.effects does not know this kind")
            unknown.append(f"{item.where()}: cannot run on one machine: {reason}")
        elif isinstance(entry, str):
            found[WithoutEffect(item.kind, "", entry)] = None
        else:
            for path, reason in _walk(item, entry, unknown):
                found[WithoutEffect(item.kind, path, reason)] = None
    if unknown:
        raise ManifestError(
            "the chart says what the run on one machine does not know:\n    "
            + "\n    ".join(unknown),
            remedy="remove it from the values, or add it to serinus/local/effects.yaml",
        )
    return tuple(found)


def _walk(item: Object, trie: Trie, unknown: list[str]) -> Iterator[tuple[str, str]]:
    def visit(
        value: Any, nodes: list[Trie], verdict: Any, path: Path, pattern: str
    ) -> Iterator[tuple[str, str]]:
        for node in nodes:
            verdict = node.get(_VERDICT, verdict)
        deeper = [node for node in nodes if len(node) > (_VERDICT in node)]
        if deeper and isinstance(value, dict) and value:
            for key, below in value.items():
                step = f"{pattern}.{key}" if pattern else str(key)
                yield from visit(below, _next(deeper, str(key)), verdict, (*path, key), step)
        elif deeper and isinstance(value, list) and value:
            for number, below in enumerate(value):
                yield from visit(
                    below, _next(deeper, "[]"), verdict, (*path, number), f"{pattern}[]"
                )
        elif verdict is None and not _empty(value):
            unknown.append(f"{item.where(*path)}: not honoured on one machine")
        elif isinstance(verdict, str):
            yield pattern, verdict

    yield from visit(item.raw, [trie], None, (), "")


def _empty(value: Any) -> bool:
    return value is None or value in ({}, [])


def _next(nodes: list[Trie], step: str) -> list[Trie]:
    return [node[name] for node in nodes for name in ("*", step) if name in node]
