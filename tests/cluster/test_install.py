"""From nothing to a review, by plain helm."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import yaml

from serinus.visitors.journey import Client
from serinus.visitors.page import read
from tests.cluster.support import APPS, CHART, TRACKS, VALUES, Release, address, run, run_any

SERINUS = str(Path(sys.executable).with_name("serinus"))


def test_everything_gets_ready(release: Release) -> None:
    print(f"\nfrom nothing to all ready: {release.seconds:.0f} s")
    assert len(release.pods("postgresql")) == 1
    for app in APPS:
        for track in TRACKS:
            assert len(release.pods(app, track)) == 2, release.trouble()


async def test_a_review_travels_in_both_tracks(release: Release) -> None:
    for track in TRACKS:
        client = Client(address(), release.host, None)
        client.cookies["app-version"] = track
        status, html, _ = await client.request("GET", "/", "page")
        assert status == 200
        form = read(html).form("/reviews")
        text = {"text": "The soup was cold and the waiter rude."}
        status, _, location = await client.request(
            "POST", form.action, "review", {**form.fields, **text}
        )
        assert status == 303
        assert client.meetings[-1].hops == tuple((app, track) for app in APPS)
        status, html, _ = await client.request("GET", location, "result")
        result = read(html)
        assert (status, result.sentiment) == (200, "negative")
        form = result.form("/feedback")
        status, _, _ = await client.request(
            "POST", form.action, "feedback",
            {**form.fields, "action": "override", "sentiment": "positive"},
        )  # fmt: skip
        assert status == 303
        name = location.rpartition("/")[2]
        query = "SELECT arm, enrolment, feedback_action, feedback_sentiment FROM reviews"
        assert release.sql(f"{query} WHERE id = '{name}'") == [f"{track}|forced|override|positive"]
        await client.close()


def test_the_application_is_no_superuser_of_its_database(release: Release) -> None:
    rights = (
        "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    assert release.sql(rights) == ["f|f|f"]


def test_a_render_that_only_names_istios_api_makes_no_secrets() -> None:
    """As Argo CD renders: random ones would differ at each sync."""
    done = run_any(
        "helm", "template", "serinus", str(CHART), "-f", str(VALUES), "--kube-version", "1.34",
        "--api-versions", "networking.istio.io/v1",
    )  # fmt: skip
    assert done.returncode
    assert "no cluster is at hand that would keep a generated one" in done.stderr


def test_the_releases_own_tests_pass(release: Release) -> None:
    run("helm", "test", "serinus", "-n", release.namespace, "--timeout", "3m")


def test_pod_security_is_enforced(release: Release) -> None:
    done = run_any(
        "kubectl", "-n", release.namespace, "run", "root", "--image=any", "--privileged",
        "--dry-run=server",
    )  # fmt: skip
    assert done.returncode
    assert 'violates PodSecurity "restricted' in done.stderr


def test_no_pod_was_refused_or_restarted_for_its_own_fault(release: Release) -> None:
    for pod in release.get("pods", "-l", "app.kubernetes.io/instance=serinus")["items"]:
        for kind in ("initContainerStatuses", "containerStatuses"):
            for status in pod["status"].get(kind, ()):
                ended = status.get("lastState", {}).get("terminated", {})
                assert ended.get("exitCode", 0) == 0, json.dumps(ended)
    events = release.get("events", "--field-selector=reason=FailedCreate")["items"]
    assert [event["message"] for event in events] == []


def test_istio_finds_nothing_to_say_but_that_it_is_an_envoyfilter(release: Release) -> None:
    """The filter lies in the gateway's namespace, which others live in too."""
    (found,) = (
        item["metadata"]
        for item in release.get("envoyfilters", "-A")["items"]
        if item["metadata"]["name"] == f"{release.namespace}.serinus-rate-limit"
    )
    told = []
    for namespace in (release.namespace, found["namespace"]):
        done = run_any("istioctl", "analyze", "-n", namespace, "-o", "json")
        told += [(one["code"], one["origin"]) for one in json.loads(done.stdout)]
    ours = [(code, origin) for code, origin in told if release.namespace in origin]
    assert ours == [("IST0133", f"EnvoyFilter {found['namespace']}/{found['name']}")]


def test_no_secret_is_seen_where_others_look(release: Release, tmp_path: Path) -> None:
    """Neither in an object, nor in an argument or a variable, nor in a log, nor on a screen.

    The pods are those of the installation, whose logs begin with their first start.
    """
    values = {
        f"{secret}, {key}": base64.b64decode(value).decode()
        for secret in ("serinus-keys", "postgresql")
        for key, value in release.get("secret", secret)["data"].items()
    }
    assert len(values) == 4
    assert all(len(value) >= 32 for value in values.values())
    kinds = "configmaps,pods,deployments,statefulsets,replicasets,controllerrevisions,events"
    places = {"objects": release.kubectl("get", kinds, "-o", "json")}
    for pod in release.get("pods")["items"]:
        name = pod["metadata"]["name"]
        places[f"logs of {name}"] = release.kubectl("logs", name, "--all-containers")
        status = pod["status"]
        for one in status["containerStatuses"] + status.get("initContainerStatuses", []):
            if one["restartCount"]:
                words = ("logs", name, "-c", one["name"], "--previous")
                places[f"logs of {name} before, {one['name']}"] = release.kubectl(*words)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(release.values))
    given = ("-f", str(VALUES), "-f", str(file))
    for flag in ("--dry-run", "--diff"):
        done = run_any(SERINUS, "deploy", *given, flag, "--namespace", release.namespace)
        places[f"serinus deploy {flag}"] = done.stdout + done.stderr
    assert "kind: Secret" in places["serinus deploy --dry-run"]
    assert "no difference" in places["serinus deploy --diff"]
    for place, text in places.items():
        for name, value in values.items():
            for form in (value, base64.b64encode(value.encode()).decode().rstrip("=")):
                assert form not in text, f"{name} is seen in {place}"
