"""Reads a mapping of a rendered object strictly: what isn't covered is an error, not silence.

Enters: an object and a path. Leaves: values by name, or `MonitoringError` with object, path and
line. Called by the compilers of this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from serinus.errors import MonitoringError
from serinus.manifests import Object, Path

_SNAKE: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


class Fields:
    """One mapping at a path; `done` refuses fields that nobody asked for."""

    def __init__(self, item: Object, *path: str | int) -> None:
        self.item = item
        self.path: Path = path
        self._raw = item.at(*path, default={})
        self._asked: set[str] = set()
        if not isinstance(self._raw, Mapping):
            raise self.error("is no mapping")

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, marked as covered."""
        self._asked.add(name)
        value = self._raw.get(name)
        return default if value is None else value

    def text(self, name: str, default: str | None = None) -> str:
        """A field that must be there, as text; numbers are written out."""
        value = self.get(name, default)
        if value is None:
            raise self.error("is missing", name)
        return str(value)

    def below(self, name: str) -> Fields:
        """A mapping inside this one; empty when it isn't there."""
        self._asked.add(name)
        return Fields(self.item, *self.path, name)

    def each(self, name: str) -> Iterator[Fields]:
        """The mappings of a list; none when it isn't there."""
        for number in range(len(self.get(name, []))):
            yield Fields(self.item, *self.path, name, number)

    def snake(self, *names: str) -> dict[str, Any]:
        """Those of the named fields that are set, spelled as Prometheus spells them."""
        return {
            _SNAKE.sub(r"_\1", name).lower(): self._raw[name]
            for name in names
            if self.get(name) is not None
        }

    def done(self) -> None:
        """Refuse what was not asked for; raises `MonitoringError`."""
        for name, value in self._raw.items():
            if name not in self._asked and value not in (None, {}, []):
                raise self.error("is not covered on one machine", name)

    def error(self, what: str, *below: str | int) -> MonitoringError:
        """An error at this place or below it."""
        return MonitoringError(
            what,
            where=self.item.where(*self.path, *below),
            remedy="remove it from the chart, or teach serinus.monitoring to compile it",
        )
