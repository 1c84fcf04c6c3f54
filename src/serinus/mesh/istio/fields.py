"""Reads one mapping of an object so that no field is passed over in silence.

Enters: an object and a path in it. Leaves: typed values; a `MeshError` with object, path and line
for a wrong type and, when the block ends, for every field that nobody asked for. Called by the
readers of `serinus.mesh.istio`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from serinus.errors import MeshError
from serinus.manifests import Object, Path, dotted
from serinus.mesh.topology import Origin

T = TypeVar("T")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_REMEDY = "the mesh compiler covers the fields listed in docs/mesh.md; take this one out"


def seconds(text: str) -> float | None:
    """A Go duration such as `1m30s` or `250ms`, in seconds; None when it is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


class Fields:
    """A mapping of an object, used as a context: leaving it checks that all was read."""

    def __init__(self, item: Object, path: Path) -> None:
        self.object = item
        self.path = path
        value = item.at(*path) if path else item.raw
        if not isinstance(value, Mapping):
            raise MeshError("must be a mapping", where=item.where(*path))
        self._value: Mapping[str, Any] = value
        self._read: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and (unread := [key for key in self._value if key not in self._read]):
            raise self.error("is not covered by the mesh compiler", unread[0], remedy=_REMEDY)

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def error(self, what: str, *at: str | int, remedy: str = "") -> MeshError:
        """The error to raise about this mapping, or about a field of it."""
        return MeshError(what, where=self.object.where(*self.path, *at), remedy=remedy)

    def origin(self) -> Origin:
        """Where this mapping stands in the rendered chart."""
        item = self.object
        return Origin(
            item.kind, item.name, dotted(self.path), item.source.template, item.line(*self.path)
        )

    def keys(self) -> Sequence[str]:
        """All field names, as written."""
        return tuple(str(key) for key in self._value)

    def raw(self, key: str) -> Any:
        """A field's value as parsed; None when absent."""
        self._read.add(key)
        return self._value.get(key)

    def text(self, key: str, default: str = "") -> str:
        """A string field."""
        value = self._typed(key, str, "text")
        return default if value is None else value

    def boolean(self, key: str) -> bool | None:
        """A truth value; None when absent."""
        return self._typed(key, bool, "true or false")

    def integer(self, key: str) -> int | None:
        """A whole number from 0; None when absent."""
        value = self._typed(key, int, "a whole number")
        if isinstance(value, bool) or (value is not None and value < 0):
            raise self.error("must be a whole number from 0", key)
        return value

    def seconds(self, key: str) -> float | None:
        """A duration, in seconds; None when absent."""
        text = self._typed(key, str, "a duration such as 250ms")
        if text is None:
            return None
        if (found := seconds(text)) is None:
            raise self.error(f"{text!r} is no duration such as 250ms or 1m30s", key)
        return found

    def percentage(self, key: str, default: float) -> float:
        """Istio's Percent, `{value: 0.1}` is 0.1 %; `default` when absent."""
        if (block := self.block(key)) is None:
            return default
        with block:
            value = block.raw("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise self.error("value must be a percentage, 0 to 100", key)
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error("must be a list of text", key)
        return tuple(value)

    def labels(self, key: str) -> tuple[tuple[str, str], ...]:
        """A mapping of text to text, in order of its names; empty when absent."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, Mapping) or not all(
            isinstance(name, str) and isinstance(text, str) for name, text in value.items()
        ):
            raise self.error("must map text to text", key)
        return tuple(sorted(value.items()))

    def block(self, key: str) -> Fields | None:
        """A nested mapping; None when absent."""
        if self.raw(key) is None:
            return None
        return Fields(self.object, (*self.path, key))

    def blocks(self, key: str) -> list[Fields]:
        """A list of mappings; empty when absent."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error("must be a list", key)
        return [Fields(self.object, (*self.path, key, at)) for at in range(len(value))]

    def without_effect(self, key: str, *allowed: Any) -> None:
        """Accept a field that changes nothing on one machine, if it has one of these values."""
        value = self.raw(key)
        if value is not None and value not in allowed:
            raise self.error(f"{value!r} is not covered by the mesh compiler", key, remedy=_REMEDY)

    def exported(self) -> None:
        """Accept `exportTo` where it names this namespace, the only one on one machine."""
        seen = self.texts("exportTo")
        if seen and not {".", "*"} & set(seen):
            raise self.error("without this namespace is not covered", "exportTo", remedy=_REMEDY)

    def _typed(self, key: str, kind: type[T], name: str) -> T | None:
        value = self.raw(key)
        if value is not None and not isinstance(value, kind):
            raise self.error(f"must be {name}", key)
        return value
