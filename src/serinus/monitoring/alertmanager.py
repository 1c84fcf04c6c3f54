"""Alertmanager's configuration from AlertmanagerConfigs.

Enters: the index of rendered objects. Leaves: the text of `alertmanager.yml`, with passwords, so
the file is its owner's alone. As the operator does, each configuration is confined to alerts of its
own namespace, and what fits none goes nowhere. Called by `serinus.local.monitoring`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

import yaml

from serinus.manifests import Index, Object
from serinus.monitoring.fields import Fields
from serinus.monitoring.prometheus import HEADER

NOWHERE: Final = "null"


def configuration(index: Index) -> str:
    """`alertmanager.yml`; raises `MonitoringError` naming object and path."""
    routes: list[dict[str, Any]] = []
    receivers: list[dict[str, Any]] = [{"name": NOWHERE}]
    inhibitions: list[dict[str, Any]] = []
    for item in index.of("AlertmanagerConfig"):
        spec = Fields(item, "spec")
        own = f'namespace="{item.namespace}"'
        route = _route(spec.below("route"))
        route["matchers"] = [own, *route.get("matchers", [])]
        routes.append({**route, "continue": True})
        receivers += [_receiver(index, fields) for fields in spec.each("receivers")]
        inhibitions += [_inhibition(fields, own) for fields in spec.each("inhibitRules")]
        spec.done()
    config = {
        "route": {"receiver": NOWHERE, "routes": routes},
        "receivers": receivers,
        "inhibit_rules": inhibitions,
    }
    return HEADER + yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False, width=200)


def smarthosts(index: Index) -> tuple[str, ...]:
    """The mail servers of all configurations, as host:port."""
    return tuple(
        str(email.get("smarthost"))
        for item in index.of("AlertmanagerConfig")
        for receiver in item.at("spec", "receivers", default=[])
        for email in receiver.get("emailConfigs", [])
    )


def _name(item: Object, receiver: str) -> str:
    return f"{item.namespace}/{item.name}/{receiver}"


def _route(fields: Fields) -> dict[str, Any]:
    made = {
        "receiver": _name(fields.item, fields.text("receiver")),
        **fields.snake("groupBy", "groupWait", "groupInterval", "repeatInterval", "continue"),
    }
    if matchers := [_matcher(matcher) for matcher in fields.each("matchers")]:
        made["matchers"] = matchers
    if routes := [_route(route) for route in fields.each("routes")]:
        made["routes"] = routes
    fields.done()
    return made


def _matcher(fields: Fields) -> str:
    name, value = fields.text("name"), fields.text("value", "")
    kind = fields.text("matchType", "=~" if fields.get("regex") else "=")
    fields.done()
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{kind}"{quoted}"'


def _receiver(index: Index, fields: Fields) -> dict[str, Any]:
    made = {
        "name": _name(fields.item, fields.text("name")),
        "email_configs": [_email(index, email) for email in fields.each("emailConfigs")],
    }
    fields.done()
    return made


def _email(index: Index, fields: Fields) -> dict[str, Any]:
    made = fields.snake(
        "to", "from", "smarthost", "hello", "authUsername", "authIdentity", "sendResolved", "text"
    )
    if fields.get("html") is not None:
        made["html"] = fields.get("html")
    if fields.get("requireTLS") is not None:
        made["require_tls"] = fields.get("requireTLS")
    if "authPassword" in fields:
        made["auth_password"] = _secret(index, fields.below("authPassword"))
    headers = {}
    for header in fields.each("headers"):
        headers[header.text("key")] = header.text("value")
        header.done()
    if headers:
        made["headers"] = headers
    fields.done()
    return made


def _secret(index: Index, fields: Fields) -> str:
    name, key = fields.text("name"), fields.text("key")
    fields.done()
    secret = index.get("Secret", name)
    value = secret.at("data", key) if secret else None
    if value is None:
        raise fields.error(
            f"no Secret {name} with key {key} is rendered; existing Secrets live in a cluster"
        )
    return base64.b64decode(value).decode()


def _inhibition(fields: Fields, own: str) -> dict[str, Any]:
    made = {
        "source_matchers": [own, *(_matcher(item) for item in fields.each("sourceMatch"))],
        "target_matchers": [own, *(_matcher(item) for item in fields.each("targetMatch"))],
        "equal": list(_equal(fields)),
    }
    fields.done()
    return made


def _equal(fields: Fields) -> Iterator[str]:
    yield from (str(name) for name in fields.get("equal", []))
