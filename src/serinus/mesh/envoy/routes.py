"""Compiles a proxy's virtual hosts into one route configuration.

Enters: `serinus.mesh.view.VirtualHost` records, the topology and the source's name. Leaves: Envoy's
RouteConfiguration as a JSON value. Called by `serinus.mesh.envoy.compile`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from serinus.mesh.envoy import names
from serinus.mesh.topology import (
    Change,
    Destination,
    Fault,
    HeaderMatch,
    Headers,
    Redirect,
    Retries,
    Rule,
    StringMatch,
    Topology,
)
from serinus.mesh.view import Route, VirtualHost, merged_headers, target_of, weighted

FAULT: Final = "envoy.filters.http.fault"
_CODES: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


def route_configuration(
    name: str, hosts: Iterable[VirtualHost], topology: Topology, source: str
) -> dict[str, Any]:
    """Routes of one listener; a host that is not listed is answered 404."""
    return names.typed(
        "config.route.v3.RouteConfiguration",
        name=name,
        virtual_hosts=[
            {
                "name": host.name,
                "domains": ["*"] if host.authority else list(host.domains),
                "routes": [
                    _route(route, topology, source, host.authority) for route in host.routes
                ],
                "include_request_attempt_count": True,
            }
            for host in hosts
        ],
        ignore_port_in_host_matching=True,
        validate_clusters=False,
    )


def _route(route: Route, topology: Topology, source: str, authority: str) -> dict[str, Any]:
    rule = route.rule
    request, response = merged_headers(route)
    out: dict[str, Any] = {"name": route.name} if route.name else {}
    out["match"] = _match(route)
    if rule.redirect is not None:
        out["redirect"] = _redirect(rule.redirect)
    elif rule.direct_response is not None:
        out["direct_response"] = {"status": rule.direct_response.status}
        if rule.direct_response.body:
            out["direct_response"]["body"] = {"inline_string": rule.direct_response.body}
    else:
        out["route"] = _action(route, topology, source, authority)
    out |= _headers(request, response)
    if rule.fault is not None:
        out["typed_per_filter_config"] = {FAULT: _fault(rule.fault)}
    return out


def _match(route: Route) -> dict[str, Any]:
    out: dict[str, Any] = {"prefix": "/"}
    if (match := route.match) is None:
        return out
    if match.uri is not None and match.uri.kind != "present":
        uri = match.uri
        if uri.kind == "regex":
            out = {"safe_regex": {"regex": uri.value}}
        else:
            out = {"path" if uri.kind == "exact" else "prefix": uri.value}
    if match.ignore_uri_case:
        out["case_sensitive"] = False
    if headers := route.headers:
        out["headers"] = [_header_match(header) for header in headers]
    if match.query:
        out["query_parameters"] = [
            {"name": item.name, **_value_match(item.match)} for item in match.query
        ]
    return out


def _header_match(header: HeaderMatch) -> dict[str, Any]:
    out = {"name": header.name, **_value_match(header.match)}
    if header.inverted:
        out["invert_match"] = True
        if header.match.kind != "present":
            out["treat_missing_header_as_empty"] = True
    return out


def _value_match(match: StringMatch) -> dict[str, Any]:
    if match.kind == "present":
        return {"present_match": True}
    if match.kind == "regex":
        return {"string_match": {"safe_regex": {"regex": match.value}}}
    return {"string_match": {match.kind: match.value}}


def _action(route: Route, topology: Topology, source: str, default: str) -> dict[str, Any]:
    rule, targets = route.rule, weighted(route)
    out: dict[str, Any] = {"timeout": names.duration(rule.timeout or 0.0)}
    authority = (rule.rewrite.authority if rule.rewrite else "") or rule.headers.authority
    if len(rule.destinations) == 1:
        out["cluster"] = _cluster(topology, targets[0], source)
        authority = authority or targets[0].headers.authority
    else:
        out["weighted_clusters"] = {
            "clusters": [_weighted(topology, target, source) for target in targets]
        }
    if authority or default:
        out["host_rewrite_literal"] = authority or default
    if rule.rewrite and rule.rewrite.regex:
        pattern, substitution = rule.rewrite.regex
        out["regex_rewrite"] = {"pattern": {"regex": pattern}, "substitution": substitution}
    elif rule.rewrite and rule.rewrite.uri:
        out["prefix_rewrite"] = rule.rewrite.uri
    if rule.mirrors:
        out["request_mirror_policies"] = [
            {
                "cluster": _cluster(topology, mirror.destination, source),
                "runtime_fraction": {"default_value": _fraction(mirror.percentage)},
                "trace_sampled": False,
            }
            for mirror in rule.mirrors
        ]
    hashed = _hash_headers(topology, targets)
    if hashed:
        out["hash_policy"] = [{"header": {"header_name": name}} for name in hashed]
    if rule.retries.attempts:
        out["retry_policy"] = _retries(rule, hashed)
    return out


def _cluster(topology: Topology, destination: Destination, source: str) -> str:
    return names.cluster(target_of(topology, destination), source)


def _weighted(topology: Topology, target: Destination, source: str) -> dict[str, Any]:
    out = {"name": _cluster(topology, target, source), "weight": target.weight}
    out |= _headers(target.headers.request, target.headers.response)
    if target.headers.authority:
        out["host_rewrite_literal"] = target.headers.authority
    return out


def _hash_headers(topology: Topology, targets: Iterable[Destination]) -> list[str]:
    found: dict[str, None] = {}
    for target in targets:
        service = topology.service(target.host)
        if service is None:
            continue
        policy = next(
            (item.policy for item in service.subsets if item.name == target.subset), service.policy
        )
        if policy.load_balancer and policy.load_balancer.hash_header:
            found[policy.load_balancer.hash_header] = None
    return list(found)


def _retries(rule: Rule, hashed: list[str]) -> dict[str, Any]:
    retries: Retries = rule.retries
    out: dict[str, Any] = {
        "retry_on": ",".join(retries.retry_on),
        "num_retries": retries.attempts,
        "host_selection_retry_max_attempts": "5",
    }
    # Another pod is preferred, unless the request's pod is chosen by hash.
    ignore = retries.ignore_previous_hosts
    if ignore if ignore is not None else not (hashed and len(rule.destinations) == 1):
        out["retry_host_predicate"] = [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": names.typed(
                    "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                ),
            }
        ]
    if retries.status_codes:
        out["retriable_status_codes"] = list(retries.status_codes)
    if retries.per_try_timeout is not None:
        out["per_try_timeout"] = names.duration(retries.per_try_timeout)
    if retries.back_off is not None:
        out["retry_back_off"] = {"base_interval": names.duration(retries.back_off)}
    return out


def _headers(request: Headers, response: Headers) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for side, headers in (("request", request), ("response", response)):
        if headers.write:
            out[f"{side}_headers_to_add"] = [_change(change) for change in headers.write]
        if headers.remove:
            out[f"{side}_headers_to_remove"] = list(headers.remove)
    return out


def _change(change: Change) -> dict[str, Any]:
    action = "APPEND_IF_EXISTS_OR_ADD" if change.add else "OVERWRITE_IF_EXISTS_OR_ADD"
    return {"header": {"key": change.name, "value": change.value}, "append_action": action}


def _redirect(redirect: Redirect) -> dict[str, Any]:
    out: dict[str, Any] = {"response_code": _CODES[redirect.code]}
    if redirect.authority:
        out["host_redirect"] = redirect.authority
    if redirect.uri:
        out["path_redirect"] = redirect.uri
    if redirect.scheme:
        out["scheme_redirect"] = redirect.scheme
    ordinary = {"http": 80, "https": 443}[redirect.scheme or "http"]
    if redirect.port and redirect.port != ordinary:
        out["port_redirect"] = redirect.port
    return out


def _fault(fault: Fault) -> dict[str, Any]:
    out = names.typed("extensions.filters.http.fault.v3.HTTPFault")
    if fault.delay is not None:
        out["delay"] = {
            "fixed_delay": names.duration(fault.delay),
            "percentage": _fraction(fault.delay_percentage),
        }
    if fault.abort is not None:
        out["abort"] = {
            "http_status": fault.abort,
            "percentage": _fraction(fault.abort_percentage),
        }
    return out


def _fraction(percentage: float) -> dict[str, Any]:
    return {"numerator": round(percentage * 10_000), "denominator": "MILLION"}
