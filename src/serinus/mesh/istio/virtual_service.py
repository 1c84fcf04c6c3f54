"""Reads VirtualService objects.

Enters: an object. Leaves: `VirtualService` with its rules in order. Called by `serinus.mesh.istio`.
"""

from __future__ import annotations

from typing import Final

from serinus.manifests import Object
from serinus.mesh.istio.fields import Fields
from serinus.mesh.istio.matches import check_regex, match, operations
from serinus.mesh.topology import (
    MESH,
    Destination,
    DirectResponse,
    Fault,
    Mirror,
    Redirect,
    Retries,
    Rewrite,
    Rule,
    VirtualService,
)

_REDIRECT_CODES: Final = {301, 302, 303, 307, 308}


def virtual_service(item: Object, namespace: str) -> VirtualService:
    """One VirtualService; raises `MeshError` for a field that is not covered."""
    with Fields(item, ("spec",)) as spec:
        spec.exported()
        rules = [_rule(block) for block in spec.blocks("http")]
        if not rules:
            raise spec.error("must have at least one http route")
        return VirtualService(
            origin=spec.origin(),
            name=item.name,
            namespace=item.namespace or namespace,
            hosts=spec.texts("hosts"),
            gateways=spec.texts("gateways") or (MESH,),
            rules=tuple(rules),
        )


def _rule(fields: Fields) -> Rule:
    with fields:
        rule = Rule(
            origin=fields.origin(),
            name=fields.text("name"),
            matches=tuple(match(block) for block in fields.blocks("match")),
            destinations=tuple(_weighted(block) for block in fields.blocks("route")),
            headers=operations(fields.block("headers")),
            retries=_retries(fields.block("retries")),
            timeout=fields.seconds("timeout"),
            fault=_fault(fields.block("fault")),
            mirrors=tuple(_mirrors(fields)),
            rewrite=_rewrite(fields.block("rewrite")),
            redirect=_redirect(fields.block("redirect")),
            direct_response=_direct(fields.block("directResponse")),
        )
        if sum(map(bool, (rule.destinations, rule.redirect, rule.direct_response))) != 1:
            raise fields.error("must have exactly one of route, redirect and directResponse")
        if len(rule.destinations) > 1 and not any(d.weight for d in rule.destinations):
            raise fields.error("has several destinations and no weight", "route")
        return rule


def _weighted(fields: Fields) -> Destination:
    with fields:
        weight = fields.integer("weight") or 0
        block = fields.block("destination")
        if block is None:
            raise fields.error("lacks a destination")
        return _destination(block, fields, weight)


def _destination(fields: Fields, outer: Fields | None = None, weight: int = 0) -> Destination:
    with fields:
        port = fields.block("port")
        number = None
        if port is not None:
            with port:
                number = port.integer("number")
        if not (host := fields.text("host")):
            raise fields.error("lacks a host")
        return Destination(
            origin=(outer or fields).origin(),
            host=host,
            subset=fields.text("subset"),
            port=number,
            weight=weight,
            headers=operations(outer.block("headers") if outer else None),
        )


def _retries(fields: Fields | None) -> Retries:
    if fields is None:
        return Retries()
    with fields:
        if fields.boolean("retryRemoteLocalities"):
            raise fields.error("one machine has no localities", "retryRemoteLocalities")
        parts = [part.strip() for part in fields.text("retryOn").split(",") if part.strip()]
        codes = tuple(int(part) for part in parts if part.isdecimal() and 100 <= int(part) <= 599)
        conditions = tuple(part for part in parts if not part.isdecimal())
        if codes and "retriable-status-codes" not in conditions:
            conditions += ("retriable-status-codes",)
        attempts = fields.integer("attempts")
        return Retries(
            attempts=0 if attempts is None else attempts,
            retry_on=conditions or Retries().retry_on,
            status_codes=codes,
            per_try_timeout=fields.seconds("perTryTimeout"),
            back_off=fields.seconds("backoff"),
            ignore_previous_hosts=fields.boolean("retryIgnorePreviousHosts"),
        )


def _fault(fields: Fields | None) -> Fault | None:
    if fields is None:
        return None
    with fields:
        delay, abort = fields.block("delay"), fields.block("abort")
        delay_for, delay_share, status, abort_share = None, 0.0, None, 0.0
        if delay is not None:
            with delay:
                delay_for = delay.seconds("fixedDelay")
                delay_share = delay.percentage("percentage", 0.0)
        if abort is not None:
            with abort:
                status = abort.integer("httpStatus")
                # In Istio a fault without a percentage meets no request.
                abort_share = abort.percentage("percentage", 0.0)
        return Fault(delay_for, delay_share, status, abort_share)


def _mirrors(fields: Fields) -> list[Mirror]:
    found = []
    percentage = fields.percentage("mirrorPercentage", 100.0)
    if (single := fields.block("mirror")) is not None:
        found.append(Mirror(_destination(single), percentage))
    for block in fields.blocks("mirrors"):
        with block:
            if (target := block.block("destination")) is None:
                raise block.error("lacks a destination")
            found.append(Mirror(_destination(target), block.percentage("percentage", 100.0)))
    return [mirror for mirror in found if mirror.percentage > 0]


def _rewrite(fields: Fields | None) -> Rewrite | None:
    if fields is None:
        return None
    with fields:
        regex = None
        if (block := fields.block("uriRegexRewrite")) is not None:
            with block:
                regex = (block.text("match"), block.text("rewrite"))
                check_regex(block, "match", regex[0])
        return Rewrite(fields.text("uri"), fields.text("authority"), regex)


def _redirect(fields: Fields | None) -> Redirect | None:
    if fields is None:
        return None
    with fields:
        code = fields.integer("redirectCode") or 301
        if code not in _REDIRECT_CODES:
            raise fields.error(f"{code} is no redirect", "redirectCode")
        fields.without_effect("derivePort", "FROM_PROTOCOL_DEFAULT")
        return Redirect(
            uri=fields.text("uri"),
            authority=fields.text("authority"),
            scheme=fields.text("scheme"),
            port=fields.integer("port"),
            code=code,
        )


def _direct(fields: Fields | None) -> DirectResponse | None:
    if fields is None:
        return None
    with fields:
        status = fields.integer("status")
        if status is None or not 200 <= status <= 599:
            raise fields.error("must be 200 to 599", "status")
        text = ""
        if (body := fields.block("body")) is not None:
            with body:
                text = body.text("string")
        return DirectResponse(status, text)
