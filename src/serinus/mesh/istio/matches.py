"""Reads Istio's match conditions and header operations.

Enters: fields of a VirtualService. Leaves: `Match` and `Operations`. Called by `virtual_service`.
"""

from __future__ import annotations

import re

from serinus.mesh.istio.fields import Fields
from serinus.mesh.topology import Change, HeaderMatch, Headers, Match, Operations, StringMatch

_BEYOND_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|P=|>|\()|(?<!\\)(?:\\\\)*\\[1-9]")
_PSEUDO = {"method": ":method", "authority": ":authority", "scheme": ":scheme"}


def match(fields: Fields) -> Match:
    """One HTTPMatchRequest."""
    with fields:
        headers = _headers(fields, "headers", inverted=False)
        headers += _headers(fields, "withoutHeaders", inverted=True)
        # Envoy gets them in the order of their names; the order changes no decision.
        headers.sort(key=lambda header: header.name)
        for key, pseudo in _PSEUDO.items():
            if (block := fields.block(key)) is not None:
                headers.append(HeaderMatch(pseudo, string_match(block)))
        uri = fields.block("uri")
        fields.without_effect("statPrefix")
        return Match(
            origin=fields.origin(),
            name=fields.text("name"),
            uri=None if uri is None else string_match(uri),
            ignore_uri_case=fields.boolean("ignoreUriCase") or False,
            headers=tuple(headers),
            query=tuple(_headers(fields, "queryParams", inverted=False, fold=False)),
            gateways=fields.texts("gateways"),
            source_labels=fields.labels("sourceLabels"),
            port=fields.integer("port"),
        )


def string_match(fields: Fields) -> StringMatch:
    """One StringMatch; empty, or the regex `*`, asks for presence only."""
    with fields:
        given = [key for key in ("exact", "prefix", "regex") if key in fields]
        if len(given) > 1:
            raise fields.error("must say only one of exact, prefix and regex")
        if not given:
            return StringMatch("present")
        value = fields.text(given[0])
        if given[0] == "exact":
            return StringMatch("exact", value)
        if given[0] == "prefix":
            return StringMatch("prefix", value)
        if value == "*":
            return StringMatch("present")
        check_regex(fields, "regex", value)
        return StringMatch("regex", value)


def check_regex(fields: Fields, key: str, pattern: str) -> None:
    """Refuse what is no RE2 expression, the language of Envoy's matchers."""
    if _BEYOND_RE2.search(pattern):
        raise fields.error("look-around and back references are no RE2", key)
    try:
        re.compile(pattern)
    except re.error as error:
        raise fields.error(f"is no regular expression: {error}", key) from error


def operations(fields: Fields | None) -> Operations:
    """The `headers` block of a route or a destination."""
    if fields is None:
        return Operations()
    with fields:
        request, authority = _message(fields.block("request"))
        response, _ = _message(fields.block("response"))
        return Operations(request, response, authority)


def _message(fields: Fields | None) -> tuple[Headers, str]:
    if fields is None:
        return Headers(), ""
    with fields:
        removed, set_, added = fields.texts("remove"), fields.labels("set"), fields.labels("add")
        authority = "".join(value for name, value in set_ if _is_host(name)) or "".join(
            value for name, value in added if _is_host(name)
        )
        write = [Change(name, value) for name, value in set_ if not _is_internal(name)]
        write += [Change(name, value, add=True) for name, value in added if not _is_internal(name)]
        return Headers(tuple(n for n in removed if not _is_internal(n)), tuple(write)), authority


def _is_host(name: str) -> bool:
    return name.lower() in {":authority", "host"}


def _is_internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"


def _headers(fields: Fields, key: str, *, inverted: bool, fold: bool = True) -> list[HeaderMatch]:
    block = fields.block(key)
    if block is None:
        return []
    found = []
    with block:
        for name in block.keys():  # noqa: SIM118
            if name.startswith("@"):
                raise block.error("matching of token claims is not covered", name)
            if (value := block.block(name)) is None:
                raise block.error("must be a mapping", name)
            found.append(HeaderMatch(name.lower() if fold else name, string_match(value), inverted))
    return found
