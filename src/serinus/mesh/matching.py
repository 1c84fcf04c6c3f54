"""Decides match conditions as Envoy does.

Enters: conditions of the topology and a request's values. Leaves: whether they hold. Called by
`serinus.mesh.view` for what is known beforehand, and by `serinus.mesh.explain`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from serinus.mesh.topology import HeaderMatch, Match, StringMatch


def matches(match: StringMatch, value: str) -> bool:
    """Whether a value fulfils a condition; a regex must match all of it."""
    match match.kind:
        case "exact":
            return value == match.value
        case "prefix":
            return value.startswith(match.value)
        case "regex":
            return _regex(match.value).fullmatch(value) is not None
        case "present":
            return True


def holds(header: HeaderMatch, values: Sequence[str]) -> bool:
    """Whether the values of a header fulfil its condition: one of them must, or none if inverted.

    Envoy looks at each line of a repeated header by itself; an absent one is empty when inverted.
    """
    if header.match.kind == "present":
        return bool(values) != header.inverted
    if header.inverted:
        return not any(matches(header.match, value) for value in values or ("",))
    return any(matches(header.match, value) for value in values)


def uri_matches(match: Match, path: str) -> bool:
    """Whether a path (normalised, without query) fulfils a match's `uri`."""
    uri = match.uri
    if uri is None:
        return True
    if match.ignore_uri_case and uri.kind in {"exact", "prefix"}:
        uri, path = StringMatch(uri.kind, uri.value.lower()), path.lower()
    return matches(uri, path)


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    # RE2 matches bytes: no Unicode classes, and a dot that stands for any byte but a line feed.
    return re.compile(pattern, re.ASCII)
