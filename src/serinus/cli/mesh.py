"""`serinus mesh explain`: which rule decides a request, and which line of the chart says so.

Enters: a request on the command line; the chart of the running system, or as `serinus up` with the
same options would render it. Leaves: the decision as text or JSON. Nothing is sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import click

from serinus.cli import place
from serinus.cli.options import STATE, values
from serinus.errors import UsageError

if TYPE_CHECKING:
    from serinus.cli.release import Released
    from serinus.local.plan import Plan
    from serinus.mesh.explain import Decision
    from serinus.mesh.placement import Workload
    from serinus.mesh.topology import Headers


@click.group()
def mesh() -> None:
    """Ask how requests are routed."""


_EXAMPLE = "serinus mesh explain GET http://app-frontend.localhost/ --cookie app-version=canary"


@mesh.command(epilog=f"Example: {_EXAMPLE}")
@click.argument("method")
@click.argument("url")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="A cookie.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header.")
@click.option("--from", "source", metavar="APP/TRACK", help="A caller inside the mesh.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@values
@STATE
@place.cluster
def explain(
    method: str,
    url: str,
    cookies: tuple[str, ...],
    headers: tuple[str, ...],
    source: str | None,
    as_json: bool,
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    port: int | None,
    chart: Path | None,
    state: Path | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Say which rule decides a request: listener, rule, weights, destination, headers, source."""
    from serinus.local import session
    from serinus.manifests import Index
    from serinus.mesh import istio
    from serinus.mesh.explain import Request
    from serinus.mesh.explain import explain as decide

    changed = bool(files or sets or chart or port)
    cluster = place.asked(state, context, namespace)
    if cluster and changed:
        raise UsageError(
            "a release in a cluster is explained as it is",
            where="--context, --namespace",
            remedy="leave out -f, --set, --port and --chart, or the cluster",
        )
    plan: Plan | Released
    if cluster:
        from serinus.cli import release

        plan = release.released(cluster)
    else:
        space = session.workspace(state)
        in_force = None if changed else session.in_force(space)
        asked = session.Asked(files, sets, port, chart)
        plan = in_force or session.prepare(space, asked).plan
    topology = istio.read(Index.parse(plan.manifest), plan.namespace, elsewhere=cluster is not None)
    parts = _parts(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = [_header(text) for text in headers]
    if cookies:
        sent.append(("cookie", "; ".join(cookies)))
    request = Request(
        method.upper(), parts.netloc, target, tuple(sent), _caller(plan, source),
        secure=parts.scheme == "https",
    )  # fmt: skip
    decision = decide(topology, request)
    if as_json:
        click.echo(json.dumps(_fields(decision), indent=2, ensure_ascii=False))
    else:
        click.echo(f"{request.method} {url} from {source or 'outside'}\n")
        lines = _lines(decision, plan, source)
        if source is None:
            for patch in topology.filters:
                lines.append(("filter", f"{patch.value['name']}, before the rules"))
                lines.append(("", str(patch.origin)))
        for name, text in lines:
            click.echo(f"{name:<13}{text}")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url!r} is no address: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(
            f"{url!r} is no http address", remedy="such as http://app-frontend.localhost/"
        )
    return parts


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"{text!r} is not NAME:VALUE", where="--header")
    return name.strip().lower(), value.strip()


def _caller(plan: Plan | Released, source: str | None) -> Workload | None:
    from serinus.mesh.placement import Workload

    if source is None:
        return None
    for item in plan.workloads:
        if f"{item.app}/{item.track}" == source:
            return Workload(item.app, item.track, item.labels)
    known = ", ".join(f"{item.app}/{item.track}" for item in plan.workloads)
    raise UsageError(f"no workload is {source}", where="--from", remedy=f"there are {known}")


def _lines(decision: Decision, plan: Plan | Released, source: str | None) -> list[tuple[str, str]]:
    lines = [("listener", f"{decision.listener} ({_addresses(decision, plan, source)})")]
    if decision.host:
        lines.append(("host", decision.host))
    lines.append(("path", decision.path))
    if decision.route is None:
        return [*lines, ("answer", f"{decision.status}, {decision.reason}")]
    route = decision.route
    lines.append(("rule", route.name or "(without a name)"))
    if decision.status is not None:
        lines.append(("answer", f"{decision.status}, {decision.reason}"))
    for share in decision.shares:
        name = f"{share.service}/{share.subset}" if share.subset else share.service
        line = f"rendered line {share.origin.line}"
        lines.append(("destination", f"{name}, {share.percent:g} % ({line})"))
        for side, steps in (("request", share.request), ("response", share.response)):
            lines += [("", f"{side}: {text}") for step in steps for text in _operations(step)]
    if decision.shares:
        rule = route.rule
        timeout = f"{rule.timeout:g} s" if rule.timeout else "none"
        lines.append(("timeout", timeout))
        tries = rule.retries
        said = f"{tries.attempts} for {', '.join(tries.retry_on)}" if tries.attempts else "none"
        lines.append(("retries", said))
    origin = route.origin
    lines.append(("said by", f"{origin.kind} {origin.name}, {origin.path}"))
    lines.append(("", f"{origin.template or 'the manifest'}, rendered line {origin.line}"))
    return lines


def _addresses(decision: Decision, plan: Plan | Released, source: str | None) -> str:
    if isinstance(plan.gateway, str):
        return plan.gateway if source is None else "the caller's sidecar"
    if source is None:
        return ", ".join(f"{address}:{plan.gateway.port}" for address in plan.gateway.addresses)
    names = {item.name: f"{item.app}/{item.track}" for item in plan.workloads}
    for item in plan.outbound:
        if names.get(item.workload) == source and item.service == decision.host:
            return f"{item.address}:{item.port}"
    return "not called by it, so without an address on this machine"


def _operations(step: Headers) -> list[str]:
    told = [f"removes {', '.join(step.remove)}"] if step.remove else []
    return told + [
        f"{'adds' if change.add else 'sets'} {change.name}: {change.value}" for change in step.write
    ]


def _fields(decision: Decision) -> dict[str, Any]:
    route = decision.route
    return {
        "listener": decision.listener,
        "host": decision.host,
        "path": decision.path,
        "rule": route.name if route else None,
        "status": decision.status,
        "reason": decision.reason,
        "destinations": [
            {
                "service": share.service,
                "subset": share.subset,
                "percent": share.percent,
                "request": [text for step in share.request for text in _operations(step)],
                "response": [text for step in share.response for text in _operations(step)],
            }
            for share in decision.shares
        ],
        "origin": {
            "object": f"{route.origin.kind} {route.origin.name}",
            "path": route.origin.path,
            "template": route.origin.template,
            "line": route.origin.line,
        }
        if route
        else None,
    }
