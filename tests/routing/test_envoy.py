"""What the compiled configuration does in a real Envoy beyond choosing a rule."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from textwrap import dedent, indent

import pytest

from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.placement import Placement
from serinus.mesh.topology import Topology
from tests.support import proxy, wire

TRACKS = """
subsets:
  - {name: stable, labels: {version: stable}}
  - {name: canary, labels: {version: canary}}
"""


def topology(http: str, rule: str = TRACKS) -> Topology:
    text = dedent("""
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: gateway}
        spec:
          selector: {istio: ingressgateway}
          servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [web.test]}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: web}
        spec:
          host: web
        <rule>
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: web}
        spec:
          hosts: [web.test]
          gateways: [gateway]
          http:
        <http>
        """)
    text = text.replace("<rule>", indent(dedent(rule), "  "))
    return istio.read(Index.parse(text.replace("<http>", indent(dedent(http), "    "))))


def weights(stable: int) -> Topology:
    return topology(f"""
        - route:
            - {{destination: {{host: web, subset: stable}}, weight: {stable}}}
            - {{destination: {{host: web, subset: canary}}, weight: {100 - stable}}}
          retries: {{attempts: 15, backoff: 20ms, retryOn: "connect-failure,refused-stream"}}
        """)


@pytest.fixture
def placement(tmp_path: Path) -> Placement:
    return proxy.place(tmp_path, proxy.workloads(("web",)), ())


async def ask(
    placement: Placement, path: str = "/", *headers: tuple[str, str], method: str = "GET"
) -> wire.Reply:
    return await wire.send(placement.gateway[0], method, path, "web.test", headers)


async def test_what_rules_do_besides_routing(tmp_path: Path, placement: Placement) -> None:
    rules = topology("""
        - match: [{uri: {prefix: /old/}}]
          rewrite: {uri: /new/, authority: inside.test}
          route: [{destination: {host: web, subset: stable}}]
        - match: [{uri: {regex: "/r/.*"}}]
          rewrite: {uriRegexRewrite: {match: "^/r/(.*)$", rewrite: '/n/\\1'}}
          route: [{destination: {host: web, subset: canary}}]
        - match: [{uri: {exact: /moved}}]
          redirect: {uri: /here, authority: other.test, redirectCode: 308}
        - match: [{uri: {exact: /gone}}]
          directResponse: {status: 410, body: {string: "gone"}}
        - match: [{headers: {x-chaos: {exact: fail}}}]
          fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
          route: [{destination: {host: web, subset: stable}}]
        - match: [{uri: {prefix: /Case}, ignoreUriCase: true}, {queryParams: {debug: {exact: "1"}}}]
          route: [{destination: {host: web, subset: canary}}]
        - match: [{withoutHeaders: {x-plain: {exact: "no"}}}]
          headers:
            request: {set: {host: set.test}, remove: [x-gone]}
            response: {remove: [set-cookie]}
          route: [{destination: {host: web, subset: stable}}]
        """)
    configured = proxy.running(tmp_path, envoy.compile(rules, placement))
    async with proxy.echoing(placement), configured:
        seen = (await ask(placement, "/old/a?b=c")).seen()
        assert (seen.line, seen.value("host")) == ("GET /new/a?b=c HTTP/1.1", "inside.test")
        assert (await ask(placement, "/r/x")).seen().line == "GET /n/x HTTP/1.1"
        moved = await ask(placement, "/moved")
        assert (moved.status, moved.values("location")) == (308, ["http://other.test/here"])
        gone = await ask(placement, "/gone")
        assert (gone.status, gone.body) == (410, b"gone")
        assert (await ask(placement, "/", ("x-chaos", "fail"))).status == 418
        assert (await ask(placement, "/cASe/x")).seen().track == "canary"
        assert (await ask(placement, "/?a=0&debug=1")).seen().track == "canary"
        reply = await ask(placement, "/", ("x-gone", "1"), ("x-envoy-max-retries", "9"))
        seen = reply.seen()
        assert (seen.track, seen.value("host"), seen.value("x-gone")) == (
            "stable", "set.test", None,
        )  # fmt: skip
        assert not reply.values("set-cookie")
        assert seen.value("x-envoy-max-retries") is None
        assert (await ask(placement, "/", ("x-plain", "no"))).status == 404
    assert "rejected" not in (tmp_path / "envoy.log").read_text(encoding="utf-8")


async def test_weight_changes_under_load_lose_nothing(tmp_path: Path, placement: Placement) -> None:
    before = envoy.compile(weights(90), placement)
    statuses: list[int] = []
    tracks: list[str] = []
    changing = asyncio.Event()
    changing.set()

    async def load() -> None:
        while changing.is_set():
            reply = await ask(placement)
            statuses.append(reply.status)
            tracks.append(reply.seen().track)

    configured = proxy.running(tmp_path, before)
    async with proxy.echoing(placement), configured, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for number in range(20):
            after = envoy.compile(weights(number % 2 * 100), placement)
            changes = after.changes(before)
            assert [name for name, _ in changes] == ["rds/gateway.json"]
            proxy.write(tmp_path, changes)
            before = after
            await taken_up(placement, {"stable", "canary"} - {"canary" if number % 2 else "stable"})
        changing.clear()
    assert set(statuses) == {200}
    assert set(tracks) == {"stable", "canary"}


async def taken_up(placement: Placement, tracks: set[str]) -> None:
    """Wait until only these tracks answer: a new weight is in force."""
    async with asyncio.timeout(5):
        while {(await ask(placement)).seen().track for _ in range(3)} != tracks:
            pass


async def test_a_restart_of_the_only_pod_fails_no_request(
    tmp_path: Path, placement: Placement
) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            proxy.running(tmp_path, envoy.compile(weights(100), placement))
        )
        # Nothing listens yet: the request waits in Envoy, trying again.
        waiting = asyncio.create_task(ask(placement, method="POST"))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        await stack.enter_async_context(proxy.echoing(placement))
        reply = await waiting
    assert reply.status == 200
    assert int(reply.seen().value("x-envoy-attempt-count") or 0) > 1


async def test_a_new_pod_takes_over_when_its_file_is_written(
    tmp_path: Path, placement: Placement
) -> None:
    rules = topology("- route: [{destination: {host: web, subset: canary}}]")
    none = proxy.place(tmp_path, (), ())
    before, after = envoy.compile(rules, none), envoy.compile(rules, placement)
    async with proxy.echoing(placement), proxy.running(tmp_path, before):
        assert (await ask(none)).status == 503
        changes = after.changes(before)
        assert {name.split("/")[0] for name, _ in changes} == {"eds"}
        proxy.write(tmp_path, changes)
        async with asyncio.timeout(5):
            while (reply := await ask(placement)).status != 200:
                pass
    assert reply.seen().track == "canary"


async def test_mirrored_requests_are_answered_once(tmp_path: Path, placement: Placement) -> None:
    rules = topology("""
        - mirror: {host: web, subset: canary}
          route: [{destination: {host: web, subset: stable}}]
        """)
    configured = proxy.running(tmp_path, envoy.compile(rules, placement))
    async with proxy.echoing(placement) as asked, configured, asyncio.timeout(10):
        assert (await ask(placement)).seen().track == "stable"
        seen = {one.track: one for one in (await asked.get(), await asked.get())}
    assert seen.keys() == {"stable", "canary"}
    assert seen["canary"].value("host") == "web.test-shadow"
