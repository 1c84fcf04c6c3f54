"""HTTPS at the gateway, which the run on one machine refuses, so that a cluster is its only proof.

The small release is upgraded by an administrator; the gateway is reached through a port-forward,
which works on any cluster whose gateway's Service has the port.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
import yaml

from serinus.visitors.page import read
from tests.cluster.limited import Limited
from tests.cluster.support import VALUES, Release, address, environment, run
from tests.support.certificate import self_signed

CERTIFICATE = "serinus-test-tls"
BURST = 20


@dataclass
class Https:
    """A visitor behind TLS who trusts the release's certificate alone, and keeps cookies."""

    port: int
    host: str
    certificate: Path
    cookies: dict[str, Morsel[str]] = field(default_factory=dict)

    def served(self) -> bool:
        """Does the gateway answer with the certificate?"""
        try:
            self.ask("GET", "/assets/none")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, origin: str = ""
    ) -> tuple[http.client.HTTPResponse, str]:
        """One request on a connection of its own; the answer and its text."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        headers = {"cookie": "; ".join(f"{k}={v.value}" for k, v in self.cookies.items())}
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
            headers["origin"] = origin or f"https://{self.host}"
        body = urllib.parse.urlencode(form) if form is not None else None
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname=self.host) as secured,
            closing(http.client.HTTPConnection(self.host)) as link,
        ):
            link.sock = secured
            link.request(method, path, body=body, headers=headers)
            answer = link.getresponse()
            text = answer.read().decode()
        for line in answer.headers.get_all("set-cookie") or ():
            self.cookies |= dict(SimpleCookie(line))
        return answer, text


@pytest.fixture(scope="module")
def gateway() -> dict[str, str]:
    """Namespace and Service of the gateway, as this cluster's values name them."""
    found: dict[str, str] = yaml.safe_load(VALUES.read_text()).get("gateway") or {}
    return {"namespace": "istio-system", "service": "istio-ingressgateway"} | found


@pytest.fixture(scope="module")
def certificate(
    small: Limited, gateway: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A certificate of its own making, as a Secret beside the gateway's pods."""
    made = self_signed(tmp_path_factory.mktemp("tls"), small.release.host)
    place = ("kubectl", "-n", gateway["namespace"])
    run(*place, "delete", "secret", CERTIFICATE, "--ignore-not-found")
    run(*place, "create", "secret", "tls", CERTIFICATE, f"--cert={made.file}", f"--key={made.key}")
    yield made.file
    run(*place, "delete", "secret", CERTIFICATE)


@pytest.fixture(scope="module")
def secured(small: Limited, certificate: Path) -> Iterator[Release]:
    """The small release behind HTTPS, with a limit that a hand can reach."""
    release = small.release
    before = release.values["gateway"]
    release.values["gateway"] = {
        "tls": {"enabled": True, "credentialName": CERTIFICATE},
        "rateLimit": {"requestsPerSecond": 1, "burst": BURST},
    }
    release.helm()
    yield release
    release.values["gateway"] = before
    release.helm()


@pytest.fixture(scope="module")
def port(secured: Release, gateway: dict[str, str]) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to the gateway's HTTPS."""
    command = ["kubectl", "-n", gateway["namespace"], "port-forward"]
    command += [f"service/{gateway['service']}", ":443", "--address=127.0.0.1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+) ->", said)
        assert found, said + process.stdout.read()
        yield int(found[1])
        process.terminate()


@pytest.fixture
def visitor(secured: Release, certificate: Path, port: int) -> Https:
    """A new visitor, once the gateway has the certificate."""
    found = Https(port, secured.host, certificate)
    deadline = time.monotonic() + 30
    while not found.served():
        assert time.monotonic() < deadline, "no HTTPS with that certificate after 30 s"
        time.sleep(0.5)
    return found


def test_the_page_comes_over_https_with_secure_cookies(visitor: Https) -> None:
    answer, html = visitor.ask("GET", "/")
    assert answer.status == 200
    assert read(html).form("/reviews")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert {"app-version", "serinus-user"} <= set(visitor.cookies)
    for name, cookie in visitor.cookies.items():
        assert cookie["secure"] is True, name


@pytest.mark.parametrize("track", ["stable", "canary"])
def test_a_review_is_written_over_https(visitor: Https, secured: Release, track: str) -> None:
    visitor.cookies |= dict(SimpleCookie(f"app-version={track}"))
    _, html = visitor.ask("GET", "/")
    form = read(html).form("/reviews")
    fields = {**form.fields, "text": "The soup was cold and the waiter rude."}
    answer, _ = visitor.ask("POST", form.action, fields, origin="https://elsewhere.localhost")
    assert answer.status == 403
    answer, text = visitor.ask("POST", form.action, fields)
    assert answer.status == 303, text
    path = urllib.parse.urlsplit(answer.headers["location"]).path
    answer, html = visitor.ask("GET", path)
    assert (answer.status, read(html).sentiment) == (200, "negative")
    name = path.rpartition("/")[2]
    assert secured.sql(f"SELECT arm FROM reviews WHERE id = '{name}'") == [track]


def test_http_leads_to_https_with_the_path_kept(visitor: Https) -> None:
    with closing(http.client.HTTPConnection(*address(), timeout=20)) as link:
        link.request("GET", "/version?full=yes", headers={"host": visitor.host})
        answer = link.getresponse()
        assert answer.status == 301
        assert answer.headers["location"] == f"https://{visitor.host}/version?full=yes"


def test_the_releases_own_tests_pass_over_https(visitor: Https, small: Limited) -> None:
    """Run by the user without rights outside of the namespace."""
    small.run("helm", "test", "serinus", "-n", small.release.namespace, "--timeout", "3m")


def test_simulated_visitors_come_over_https(
    visitor: Https, small: Limited, certificate: Path
) -> None:
    """One of them, with one review, for the limit's sake."""
    words = ["simulate", "--visitors", "1", "--reviews", "1", "--feedback", "0"]
    words += ["--gateway", f"127.0.0.1:{visitor.port}"]
    said = small.serinus(*words, "--cacert", str(certificate))
    assert "303: 1" in said
    assert "kept their track  1 of 1 visitors" in said
    assert "certificate is not trusted" in small.refused(*words)


def test_the_limit_holds_over_https(visitor: Https) -> None:
    """The last one: through a port-forward all visitors have one address."""
    answers = [visitor.ask("GET", "/version")[0] for _ in range(2 * BURST)]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= BURST // 4  # a busy machine takes its time, and gets tokens for it
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
